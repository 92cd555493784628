"""FakeQuantize: what ONNX's QuantizeLinear and DequantizeLinear give, as a function and as a table."""

from __future__ import annotations

import numpy as np
import pytest
from support import beside, check_c, float_graph, integer_graph, random_inputs, run_float

from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.quantize import NAMED, Scheme, quantize_graph


@pytest.mark.parametrize(("scale", "zero_point"), [(0.5, 0), (0.1, -128), (0.037, 127), (3e-6, 5), (200.0, -3)])
def test_function_is_what_onnx_runtime_gives(scale: float, zero_point: int) -> None:
    op = FakeQuantize(float(np.float32(scale)), zero_point)
    x = np.random.default_rng(0).normal(0, 60 * scale, (1, 1, 4096)).astype(np.float32)
    x[0, 0, :300] = np.arange(-150, 150) * np.float32(scale) / 2  # halves go to even
    (want,) = run_float(write_onnx(float_graph(op, [(1, 4096)])), {"x0": x}).values()
    assert np.array_equal(op.function(x).astype(np.float32), want)


def test_halves_go_to_even_in_the_table_too() -> None:
    graph = integer_graph(FakeQuantize(1.0, 0), [(1, 256)], {"x0": (-64, 63.5)})
    assert (graph.tensors["x0"].scale, graph.tensors["x0"].zero_point) == (0.5, 0)
    q = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256)
    y = simulate(graph, {"x0": q})["y"]
    assert np.array_equal(y, np.rint(q / 2).astype(np.int8))


def test_the_output_has_the_quantization_that_it_states() -> None:
    graph = integer_graph(FakeQuantize(0.25, -7), [(1, 4)], {"x0": (-1, 1)})
    assert graph.tensors["y"].quant == FakeQuantize(0.25, -7).quant
    assert quantize_graph(float_graph(FakeQuantize(0.25, -7), [(1, 4)]), {"x0": (0, 1)}).tensors["y"].zero_point == -7


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_c(integer_graph(FakeQuantize(0.013, 11), [(1, 33)], {"x0": (-1, 3)}), on)


WIDE = Scheme(NAMED["int16"])


@pytest.mark.parametrize(("scale", "count"), [(3e-5, 0), (1e-4, 1), (7e-4, 2)])
def test_16_bits_are_requantized(scale: float, count: int) -> None:
    """To finer steps, which are limited, and to coarser ones: each within a step of what ONNX Runtime gives."""
    op = FakeQuantize(float(np.float32(scale)), 0, "int16")
    graph = integer_graph(op, [(1, 4096)], {"x0": (-1, 1)}, WIDE)
    x = random_inputs(graph, 4, count)
    (want,) = run_float(
        write_onnx(float_graph(op, [(1, 4096)])), {"x0": graph.tensors["x0"].quantization.dequantize(x["x0"])}
    ).values()
    got = simulate(graph, x)["y"]
    assert got.dtype == np.int16
    assert np.abs(got - np.float64(want) / scale).max() < 1.001


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_16_bits_gives_the_simulators_bits(on: str) -> None:
    graphs = [
        integer_graph(FakeQuantize(scale, 0, "int16"), [(1, 33)], {"x0": (-1, 1)}, WIDE) for scale in (3e-5, 1e-4, 7e-4)
    ]
    check_c(beside(graphs), on)
