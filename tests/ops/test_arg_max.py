"""ArgMax and ArgMin: C against the simulator, the simulator against float; ties, both ends and every axis."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, model, node
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Integers
from mcuq.ops.arg_max import ArgMax
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
CASES: list[Case] = [
    (ArgMax((axis,), is_max=is_max, last=last), [shape])
    for k, (shape, axis) in enumerate(
        [((1, 10), 1), ((3, 1), 1), ((2, 5, 3), 1), ((7,), 0), ((2, 3, 4), 0), ((1, 300), 1), ((4, 2, 6), 2)]
    )
    for is_max, last in ([(True, False), (False, True)] if k % 2 else [(True, True), (False, False)])
]
OF_INTEGERS: list[Case] = [(ArgMax((1,)), [Whole((2, 6), -300, 300)]), (ArgMax((0,), False), [Whole((5,), 0, 2**20)])]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*CASES, *OF_INTEGERS]), on)
    check_portable_c(integer_branches(CASES, scheme=INT16), on)
    check_floats(float_layers([*CASES, *OF_INTEGERS]), on)


def test_simulator_chooses_as_the_float_meaning() -> None:
    for seed in range(4):
        check_float(integer_branches([*CASES, *OF_INTEGERS], seed), 0.0, samples=12)
        check_float(integer_branches(CASES, seed, scheme=INT16), 0.0, samples=12)


def test_equal_values_are_told_apart_by_their_places() -> None:
    x = np.array([[3, 7, 7, 3, 7]], np.int8)
    for op, want in (
        (ArgMax((0,)), 1),
        (ArgMax((0,), last=True), 4),
        (ArgMax((0,), is_max=False), 0),
        (ArgMax((0,), is_max=False, last=True), 3),
    ):
        assert simulate(integer_graph(op, [(5,)]), {"x0": x})["y"].tolist() == [[want]]


def test_its_output_takes_the_smallest_type() -> None:
    sizes = {100: "int8", 128: "int8", 129: "int16", 40_000: "int32"}
    for size, dtype in sizes.items():
        graph = integer_graph(ArgMax((0,)), [(size,)])
        assert (graph.tensors["y"].dtype, graph.tensors["y"].integers) == (dtype, Integers.of(0, size - 1))
        x = random_inputs(graph, 3)
        x["x0"][2, :] = -128
        x["x0"][2, size - 1] = 127
        assert simulate(graph, x)["y"][2, 0] == size - 1


def test_import() -> None:
    for opset in (7, 12, 17):
        layers = [
            node("ArgMax", ["x"], "a", axis=1, keepdims=0),
            node("ArgMin", ["x"], "b", axis=-1),
            node("ArgMax", ["n"], "c", axis=0),
        ]
        if opset > 11:
            layers.append(node("ArgMax", ["x"], "d", axis=2, select_last_index=1))
        outputs = dict.fromkeys([layer.output[0] for layer in layers], TensorProto.INT64)
        check_import(model(layers, {"x": (2, 3, 5), "n": (4, 2)}, outputs, opset=opset, kinds={"n": TensorProto.INT32}))


def test_keepdims_is_a_view() -> None:
    proto = model([node("ArgMax", ["x"], "y", axis=1, keepdims=0)], {"x": (1, 3)}, {"y": TensorProto.INT64})
    assert imported(proto).tensors["y"].shape == (1,)
