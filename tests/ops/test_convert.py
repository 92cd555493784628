"""Convert between the element types of tensors: bits on the host and the emulated CPU, and its error in steps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from selections import quick
from support import RANGES

from mcuq.boards.find import load_board
from mcuq.compile import assemble
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, simulate
from mcuq.graph.tensor import Array
from mcuq.ops.convert import Convert
from mcuq.quantize import Scheme, quantize_graph
from mcuq.validate import check_bits
from mcuq.validate.bits import probe_inputs

DTYPES = ("int8", "uint8", "int16", "float32")
PAIRS = [(x, y) for x, y in product(DTYPES, DTYPES) if (x, y) != ("float32", "float32")]


def conversion(x: str, y: str, seed: int = 0, elements: int = 37) -> Graph:
    """x of type `x` to type `y`, with ranges that differ as RANGES do."""
    builder = GraphBuilder("conversion")
    name = builder.input("x", (1, elements))
    builder.outputs.append(builder.add(Convert(y), [name], "y"))
    ranges = {"x": RANGES[seed % len(RANGES)], "y": RANGES[(seed + seed // len(RANGES)) % len(RANGES)]}
    return quantize_graph(builder.graph(), ranges, Scheme(input=x))


def with_corners(graph: Graph) -> dict[str, Array]:
    """Probes, and for floats infinities, NaN, zeros of both signs, and values halfway between steps."""
    inputs = probe_inputs(graph)
    if graph.tensors["x"].dtype == "float32":
        corners = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, -3e38, 1e-40], np.float32)
        inputs["x"][3, 0, : len(corners)] = corners
        step = graph.tensors["y"].scale
        inputs["x"][4] = ((np.arange(37) - 18.5) * step).astype(np.float32)
    return inputs


@pytest.mark.parametrize(("x", "y"), quick(PAIRS, 5))
def test_conversion_on_the_host_gives_the_simulators_bits(x: str, y: str) -> None:
    for seed in (1, 13):
        graph = conversion(x, y, seed)
        model = assemble(graph, load_board("cortex-m4"), "conversion", b"")
        report = check_bits(model, iter([with_corners(graph)]), "host")
        assert report.first_mismatch is None, graph.text()
        assert report.compared_bytes == 8 * graph.tensors["y"].size_bytes


@pytest.mark.parametrize(
    "board",
    [
        "cortex-m4",
        pytest.param("cortex-m0", marks=pytest.mark.slow),
        pytest.param("rv32imc", marks=pytest.mark.slow),
        pytest.param("cortex-m55", marks=pytest.mark.toolchain),
    ],
)
@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_conversion_on_an_emulated_cpu_gives_the_simulators_bits(x: str, y: str, board: str) -> None:
    graph = conversion(x, y, 3)
    model = assemble(graph, load_board(board), "conversion", b"")
    report = check_bits(model, iter([with_corners(graph)]), "emulator")
    assert report.first_mismatch is None, graph.text()
    assert report.compared_bytes == 8 * graph.tensors["y"].size_bytes


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_conversion_is_within_half_a_step_of_what_the_output_can_hold(x: str, y: str) -> None:
    graph = conversion(x, y, 9)
    inputs = probe_inputs(graph)
    real = graph.tensors["x"].decode(inputs["x"]).astype(np.float64)
    got = dequantize_outputs(graph, simulate(graph, inputs))["y"]
    target = graph.tensors["y"]
    if target.quant is None:
        assert np.allclose(got, real, rtol=2**-23, atol=0)  # the scale and the product are rounded to float32
        return
    low, high = ((bound - target.zero_point) * target.scale for bound in target.quant.bounds)
    assert np.abs(got - np.clip(real, low, high)).max() <= (0.5 + 1e-3) * target.scale


def test_a_float_that_is_no_number_becomes_the_least_integer() -> None:
    graph = conversion("float32", "int8")
    x = np.full((1, 1, 37), np.nan, np.float32)
    assert (simulate(graph, {"x": x})["y"] == -128).all()


def test_uint8_is_int8_with_its_zero_point_shifted() -> None:
    graph = conversion("uint8", "int8", 0)  # both ranges are the same
    x = np.arange(256, dtype=np.uint8)[: 37 * 6].reshape(6, 1, 37)
    assert graph.tensors["x"].zero_point == graph.tensors["y"].zero_point + 128
    assert np.array_equal(simulate(graph, {"x": x})["y"], (x.astype(np.int16) - 128).astype(np.int8))
