"""SparseProduct: C against the simulator, the simulator against float and its bound, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import FLOAT, check_floats, float_layers
from support import Case, check_float, check_portable_c, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Shape
from mcuq.ops.sparse_product import SparseProduct
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import NAMED, parse_scheme

SCHEMES = ("int8", "int16")
WIDTHS = [Scheme(NAMED[a], {"*": NAMED[b]}) for a, b in (("int8", "int16"), ("int16", "int8"))]


def case(axis: int, x: Shape, rows: int, taps: int, kind: str = "mean", seed: int = 0, **bounds: float) -> Case:
    """Rows of positive weights that add up to 1, of any, or of ones."""
    rng = np.random.default_rng([seed, axis, rows, taps])
    index = rng.integers(0, x[axis], (rows, taps))
    weight = {"ones": np.ones, "any": lambda s: rng.normal(0, 2, s), "mean": lambda s: rng.uniform(0, 1, s)}[kind](
        (rows, taps)
    )
    if kind == "mean":
        weight /= weight.sum(axis=1, keepdims=True)
    return SparseProduct(axis, **bounds), [x, index.astype(np.float32), weight.astype(np.float32)]


CASES = (
    case(1, (1, 4, 5, 3), 7, 2),
    case(2, (2, 4, 5, 3), 9, 2),
    case(3, (1, 4, 5, 6), 3, 4, "any"),
    case(0, (5,), 4, 3, "any", minimum=0.0),
    case(1, (2, 30), 3, 16, maximum=0.5),
    case(1, (3, 8, 9), 5, 1, "ones"),
    case(2, (1, 2, 40), 6, 9, "ones"),
    case(1, (1, 16, 1), 33, 4, "mean", minimum=-0.25, maximum=0.25),
    (SparseProduct(1), [(1, 3, 2), np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32)]),
)


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
@pytest.mark.parametrize("scheme", ["int8", pytest.param("int16", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(scheme: str, on: str) -> None:
    check_portable_c(integer_branches(CASES, scheme=parse_scheme(scheme)), on)


def test_c_of_floats_gives_the_simulators_bits() -> None:
    check_floats(float_layers(CASES, FLOAT))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", WIDTHS, ids=["int8 to int16", "int16 to int8"])
def test_c_of_two_widths_gives_the_simulators_bits(scheme: Scheme) -> None:
    check_portable_c(integer_branches(CASES, 1, scheme), "host")


def bound(layer: Layer) -> float:
    """Half a step, and what weights are off times what x spans, in steps."""
    x, index, _ = layer.inputs
    assert isinstance(layer.op, SparseProduct)
    span = float(np.ptp(x.quantization.dequantize(np.array(x.quantization.bounds))))
    return 0.5 + index.shape[1] * 2.0 ** -layer.op.integer_weights(layer).bits * span / layer.output.scale


@pytest.mark.parametrize("scheme", SCHEMES)
def test_simulator_is_within_the_stated_bound_of_the_float_meaning(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(CASES, seed, parse_scheme(scheme)), bound)


@pytest.mark.parametrize(("scheme", "least"), [("int8", 14), ("int16", 29)])
def test_weights_of_means_have_the_stated_bits(scheme: str, least: int) -> None:
    graph = integer_graph(*CASES[0], scheme=parse_scheme(scheme))
    (layer,) = graph.layers()
    assert isinstance(layer.op, SparseProduct)
    assert layer.op.integer_weights(layer).bits >= least


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_even_stays_so(scheme: str) -> None:
    op, inputs = case(1, (1, 9, 4), 20, 5)
    graph = integer_graph(op, inputs, {"x0": (-1, 1), "y": (-1, 1)}, parse_scheme(scheme))
    low, high = graph.tensors["x0"].quantization.bounds
    for value in (low, -1, 0, 5, high):
        x = np.full((1, 1, 9, 4), value, graph.tensors["x0"].dtype)
        assert (simulate(graph, {"x0": x})["y"] == value).all()


def test_a_permutation_moves() -> None:
    order: Array = np.random.default_rng(0).permutation(9)
    op, inputs = SparseProduct(1), [(2, 9, 3), order[:, None].astype(np.float32), np.ones((9, 1), np.float32)]
    graph = integer_graph(op, inputs, {"x0": (-1, 1), "y": (-1, 1)})
    x = random_inputs(graph, 4)["x0"]
    assert np.array_equal(simulate(graph, {"x0": x})["y"], x[:, :, order])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            [(1, 4), np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)],
            "index [2, 3] and weight [3, 2] must be (outputs, taps)",
        ),
        (
            [(1, 4), np.full((2, 3), 4, np.float32), np.zeros((2, 3), np.float32)],
            "an index is outside dimension 1 of [1, 4]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(inputs: list[object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(SparseProduct(1), inputs)
    assert str(caught.value) == f"SparseProduct 'layer': {message}"
