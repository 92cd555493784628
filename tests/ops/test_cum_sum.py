"""CumSum: C against the simulator, the simulator against float: both directions, with and without, clips, 64 bits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, model, node
from support import Case, Whole, check_c, check_float, check_portable_c, integer_branches, integer_graph, portable

from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Integers
from mcuq.ops.cum_sum import CumSum
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
CASES: list[Case] = [
    (CumSum(axis, exclusive, reverse, minimum=low, maximum=high), [shape])
    for (shape, axis), exclusive, reverse in product(
        (((9,), 0), ((2, 5, 3), 1), ((3, 1), 1), ((2, 40), 1)), (False, True), (False, True)
    )
    for low, high in [(-np.inf, np.inf) if exclusive else (-0.5, 2.0)]
]
LONG: list[Case] = [(CumSum(0), [(70_000,)])]
OF_INTEGERS: list[Case] = [(CumSum(1), [Whole((2, 9), 0, 1)]), (CumSum(0, True, True), [Whole((5,), -300, 2**24)])]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*CASES, *OF_INTEGERS]), on)
    check_portable_c(integer_branches(CASES, scheme=INT16), on)
    check_floats(float_layers([*CASES, *OF_INTEGERS]), on)


def test_sums_that_need_64_bits() -> None:
    check_c(integer_branches(LONG, scheme=INT16), "host", samples=3, board=portable("cortex-m7"))


def steps(layer: Layer) -> float:
    """Half a step, and what ONNX Runtime's float32 loses of the largest sum on the way."""
    x, y = layer.inputs[0], layer.output
    return 0.5 + layer.op.bound(layer) * x.scale * 2.0**-23 / y.scale


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(3):
        check_float(integer_branches(CASES, seed), steps)
        check_float(integer_branches(CASES, seed, scheme=INT16), steps)


def test_integers_are_counted() -> None:
    graph = integer_graph(CumSum(1), [Whole((1, 300), 0, 1)])
    assert graph.tensors["y"].integers == Integers.of(0, 300)
    y = simulate(graph, {"x0": np.ones((1, 1, 300), np.int8)})["y"]
    assert y.dtype == np.int16
    assert np.array_equal(y[0, 0], np.arange(1, 301))


def test_import() -> None:
    layers = [
        node("CumSum", ["x", "one"], "a"),
        node("CumSum", ["x", "last"], "b", exclusive=1),
        node("CumSum", ["x", "one"], "c", reverse=1, exclusive=1),
        node("CumSum", ["n", "one"], "d", reverse=1),
    ]
    outputs = {**dict.fromkeys("abc", TensorProto.FLOAT), "d": TensorProto.INT32}
    constants = {"one": np.int64(1), "last": np.int32(-1)}
    kinds = {"n": TensorProto.INT32}
    graph = check_import(model(layers[:3], {"x": (2, 3, 4)}, list("abc"), constants))
    assert graph.outputs == ("a", "b", "c")
    # Sums of some hundred: float32 holds no larger ones than 2^24.
    layers[3:] = [node("Mod", ["n", "hundred"], "m"), layers[3]]
    layers[4].input[0] = "m"
    constants["hundred"] = np.int32(100)
    check_import(model(layers[3:], {"n": (2, 3)}, {"d": outputs["d"]}, constants, kinds=kinds))
