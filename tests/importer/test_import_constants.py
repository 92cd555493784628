"""Constant expressions are folded away, in every spelling that exporters use; and what is refused."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, ints, model, node, random, refusal


def ops(graph) -> list[str]:
    return [type(n.op).__name__ for n in graph.nodes]


def test_a_flatten_as_pytorch_writes_view_with_a_dynamic_batch():
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Constant", [], "zero", value=numpy_helper.from_array(np.array(0))),
        node("Gather", ["shape", "zero"], "batch", axis=0),
        node("Unsqueeze", ["batch"], "batch1", axes=[0]),
        node("Constant", [], "minus_one", value_ints=[-1]),
        node("Concat", ["batch1", "minus_one"], "target", axis=0),
        node("Reshape", ["x", "target"], "flat"),
        node("Gemm", ["flat", "w", "b"], "y", transB=1),
    ]
    constants = {"w": random(4, 24), "b": random(4)}
    graph = check_import(model(nodes, {"x": ["batch", 2, 3, 4]}, constants=constants, opset=12))
    assert ops(graph) == ["Reshape", "FullyConnected"]


def test_arithmetic_on_sizes_as_exporters_write_channel_shuffles():
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Slice", ["shape", "one", "two"], "channels"),
        node("Div", ["channels", "groups"], "per_group"),
        node("Shape", ["x"], "rest", start=2),
        node("Concat", ["minus_one", "groups", "per_group", "rest"], "split", axis=0),
        node("Reshape", ["x", "split"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "shape"], "y"),
    ]
    constants = {"one": ints(1), "two": ints(2), "groups": ints(2), "minus_one": ints(-1)}
    check_import(model(nodes, {"x": [1, 6, 4, 4]}, constants=constants))


def test_size_and_shapes_of_computed_tensors_need_no_values():
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Shape", ["c"], "tail", start=-2, end=-1),
        node("Size", ["c"], "size"),
        node("Div", ["size", "tail"], "rest"),
        node("Concat", ["tail", "rest"], "target", axis=0),
        node("Reshape", ["c", "target"], "y"),
    ]
    graph = check_import(model(nodes, {"x": [1, 2, 5, 6]}, constants={"w": random(3, 2, 2, 2)}))
    assert graph.tensors["y"].shape == (4, 15)


def test_shapes_of_constants():
    nodes = [node("Shape", ["c"], "s"), node("Reshape", ["x", "s"], "y")]
    check_import(model(nodes, {"x": [6]}, constants={"c": random(2, 3)}))


SPELLINGS = {
    "value": numpy_helper.from_array(np.array([0.5, -2.0], np.float32)),
    "value_floats": [0.5, -2.0],
    "value_float": 0.5,
    "value_ints": [1, -2],
    "value_int": 3,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_constant_node_in_any_spelling(spelling):
    nodes = [
        node("Constant", [], "c", **{spelling: SPELLINGS[spelling]}),
        node("Cast", ["c"], "f", to=TensorProto.FLOAT),
        node("Add", ["x", "f"], "y"),
    ]
    check_import(model(nodes, {"x": [3, 2]}))


@pytest.mark.parametrize("spelling", ["value", "value_floats", "value_float"])
def test_a_constant_node_needs_no_cast_where_it_is_float(spelling):
    nodes = [node("Constant", [], "c", **{spelling: SPELLINGS[spelling]}), node("Add", ["x", "c"], "y")]
    check_import(model(nodes, {"x": [3, 2]}))


def test_constants_made_by_nodes():
    value = numpy_helper.from_array(np.array([0.25], np.float32))
    nodes = [
        node("ConstantOfShape", ["two_three"], "filled", value=value),
        node("Range", ["zero", "six", "one"], "range"),
        node("Cast", ["range"], "real", to=TensorProto.FLOAT),
        node("Reshape", ["real", "two_three"], "matrix"),
        node("Mul", ["filled", "matrix"], "w"),
        node("MatMul", ["x", "w"], "y"),
    ]
    constants = {"two_three": ints(2, 3), "zero": np.array(0), "six": np.array(6), "one": np.array(1)}
    graph = check_import(model(nodes, {"x": [4, 2]}, constants=constants))
    assert ops(graph) == ["FullyConnected"]


def test_constant_of_shape_is_zero_without_a_value():
    nodes = [node("ConstantOfShape", ["s"], "c"), node("Concat", ["x", "c"], "y", axis=0)]
    check_import(model(nodes, {"x": [2, 3]}, constants={"s": ints(1, 3)}))


def test_weights_that_are_computed_from_constants():
    # Weight normalization, as exporters leave it: w = v * g / |v|.
    nodes = [
        node("ReduceL2", ["v"], "norm", axes=[1, 2, 3], keepdims=1),
        node("Div", ["g", "norm"], "factor"),
        node("Mul", ["v", "factor"], "w"),
        node("Conv", ["x", "w"], "y"),
    ]
    constants = {"v": random(4, 3, 2, 2), "g": random(4, 1, 1, 1)}
    check_import(model(nodes, {"x": [1, 3, 5, 5]}, constants=constants))


def test_half_precision_weights_that_are_cast():
    for dtype in (np.float16, np.float64, ml_dtypes.bfloat16):
        nodes = [node("Cast", ["h"], "w", to=TensorProto.FLOAT), node("MatMul", ["x", "w"], "y")]
        check_import(model(nodes, {"x": [2, 5]}, constants={"h": random(5, 4).astype(dtype)}))


@pytest.mark.parametrize("axis", [None, 0])
def test_weights_stored_as_integers(axis):
    channels = () if axis is None else (3,)
    constants = {
        "q": np.arange(-27, 27, dtype=np.int8).reshape(3, 2, 3, 3),
        "scale": random(*channels, low=0.01, high=0.1),
        "zero": np.full(channels, 5, np.int8),
    }
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        node("DequantizeLinear", ["q", "scale", "zero"], "w", **attributes),
        node("Conv", ["x", "w"], "y"),
    ]
    check_import(model(nodes, {"x": [1, 2, 5, 5]}, constants=constants))


SPARSE = helper.make_sparse_tensor(
    numpy_helper.from_array(random(1), "values"), numpy_helper.from_array(ints(2), "indices"), [3]
)


def test_a_sparse_constant_is_read_as_a_dense_one() -> None:
    graph = check_import(
        model([node("Constant", [], "c", sparse_value=SPARSE), node("Add", ["x", "c"], "y")], {"x": (2, 3)})
    )
    (constant,) = (t.data for t in graph.tensors.values() if t.is_constant)
    assert constant.tolist() == [[0, 0, random(1).item()]]


def branch(name: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(f"{name}_out", 1, None)])


def test_a_choice_between_constants_is_a_constant():
    nodes = [
        node(
            "If",
            ["condition"],
            "w",
            then_branch=branch("then", node("Mul", ["v", "two"], "then_out")),
            else_branch=branch("else", node("Identity", ["v"], "else_out")),
        ),
        node("MatMul", ["x", "w"], "y"),
    ]
    constants = {"condition": np.array(True), "v": random(3, 2), "two": np.float32(2)}
    check_import(model(nodes, {"x": [4, 3]}, constants=constants))


def test_a_choice_between_computed_tensors_is_made_where_its_condition_is_constant():
    nodes = [
        node("Relu", ["x"], "r"),
        node(
            "If",
            ["condition"],
            "y",
            "choose",
            then_branch=branch("then", node("Neg", ["r"], "then_out")),
            else_branch=branch("else", node("Identity", ["v"], "else_out")),
        ),
    ]
    constants = {"condition": np.array(True), "v": random(3, 2)}
    check_import(model(nodes, {"x": [4, 3]}, constants=constants))


def test_weights_that_nothing_reads_may_hold_anything():
    constants = {"unused": np.array([np.nan], np.float32)}
    check_import(model([node("Relu", ["x"], "y")], {"x": [2, 3]}, constants=constants))


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        (
            [node("Constant", [], "c", "k", value_string="two"), node("Add", ["x", "c"], "y")],
            {},
            "Constant 'k': value_string is not supported; use a dense tensor of numbers, value",
        ),
        (
            [node("Constant", [], "c", value_strings=["two"]), node("Add", ["x", "c"], "y")],
            {},
            "Constant 'c': value_strings is not supported; use a dense tensor of numbers, value",
        ),
        (
            [node("Constant", [], "c"), node("Add", ["x", "c"], "y")],
            {},
            "Constant 'c': has 0 values; give it one",
        ),
        (
            [node("Constant", [], "c", value_int=1, value_float=1.0), node("Add", ["x", "c"], "y")],
            {},
            "Constant 'c': has 2 values; give it one",
        ),
        (
            [node("Reshape", ["c", "s"], "d", "n"), node("Add", ["x", "d"], "y")],
            {"c": random(3), "s": ints(2, 2)},
            "Reshape 'n': is constant but cannot be computed: The input tensor cannot be reshaped to the requested "
            "shape. Input shape:{3}, requested shape:{2,2}",
        ),
        (
            [node("Div", ["c", "s"], "d", "n"), node("Reshape", ["x", "d"], "y")],
            {"c": ints(3), "s": ints(0)},
            "Div 'n': is constant but cannot be computed: Integer division by zero",
        ),
        (
            [node("Gather", ["c", "s"], "d", "n"), node("Reshape", ["x", "d"], "y")],
            {"c": ints(3), "s": ints(7)},
            "Gather 'n': is constant but cannot be computed: indices element out of data bounds, idx=7 must be within "
            "the inclusive range [-1,0]",
        ),
        (
            [node("Div", ["c", "s"], "d", "n"), node("Mul", ["x", "d"], "y", "m")],
            {"c": random(3), "s": np.zeros(3, np.float32)},
            "Mul 'm': operand 'd' holds 3 NaN or infinite of 3 values; train or export it again",
        ),
        (
            [node("RandomNormal", [], "d", "n", shape=[3]), node("Mul", ["x", "d"], "y", "m")],
            {},
            "net.onnx: operators that are not supported: RandomNormal ('n'), use an input of random numbers; "
            "supported: ",
        ),
    ],
)
def test_a_constant_that_cannot_be_known_is_refused(nodes, constants, message):
    text = refusal(model(nodes, {"x": [2, 3]}, constants=constants))
    assert text.startswith(message) if message.endswith("supported: ") else text == message
