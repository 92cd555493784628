"""Binary operators, functions of one value, BatchNormalization, Softmax, Dropout; and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import check_import, ints, model, node, random, refusal

from mcuq.graph.tensor import Array
from mcuq.ops import FROM_ONNX, OPS
from mcuq.ops.function import Function
from mcuq.ops.identity import Identity

X = {"x": (2, 3, 4, 5)}
FUNCTIONS = [op.__name__ for op in OPS.values() if issubclass(op, Function) and op.__name__ in FROM_ONNX]
# Opset from which on there is an operator, where it is not an old one.
SINCE = {"Mish": 18, "Gelu": 20, "Swish": 24}


def layer(op_type: str, opset: int = 17, constants: dict[str, Array] | None = None, **attributes: object):
    """A model of one node behind x; constants are its further inputs."""
    given = constants or {}
    return model([node(op_type, ["x", *given], "y", "n", **attributes)], X, constants=given, opset=opset)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Max", "Min"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 3, 4, 5), (1, 3, 1, 1)),
        ((1, 3, 1, 1), (2, 3, 4, 5)),
        ((2, 3, 4, 5), (5,)),
        ((4, 1), (2, 3, 4, 5)),
        ((3, 1, 5), (4, 1)),
        ((1, 1), (7,)),
    ],
)
def test_computed_operands_broadcast(op_type, a, b):
    check_import(model([node(op_type, ["a", "b"], "y")], {"a": a, "b": b}))


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Max", "Min"])
@pytest.mark.parametrize("constant_first", [False, True])
@pytest.mark.parametrize(
    ("x", "constant"),
    [
        ((2, 3, 4, 5), ()),
        ((2, 3, 4, 5), (1,)),
        ((2, 3, 4, 5), (5,)),
        ((2, 3, 4, 5), (3, 1, 1)),
        ((2, 3, 4, 5), (1, 3, 1, 1)),
        ((2, 3, 4, 5), (4, 5)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 3, 4, 5), (2, 1, 4, 1)),
        ((5,), (3, 1)),
        ((1, 5), (2, 3, 1)),
        ((1, 1), (1, 6)),
    ],
)
def test_a_constant_operand_broadcasts_from_either_side(op_type, constant_first, x, constant):
    inputs = ["c", "x"] if constant_first else ["x", "c"]
    proto = model([node(op_type, inputs, "y")], {"x": x}, constants={"c": random(*constant)})
    check_import(proto, samples=1)


def test_a_tensor_with_itself():
    nodes = [node("Add", ["x", "x"], "a"), node("Mul", ["a", "a"], "b"), node("Sub", ["b", "x"], "y")]
    check_import(model(nodes, X))


@pytest.mark.parametrize(
    "divisor", [random(3, 1, 1, low=0.5, high=2), np.array(-4.0, np.float32), random(2, 3, 4, 5) + 2]
)
def test_division_by_a_constant(divisor):
    check_import(model([node("Div", ["x", "c"], "y")], X, constants={"c": divisor}), samples=1)


def test_division_by_zeros_is_refused():
    proto = layer("Div", constants={"c": np.array([1, 2, 0, 4, 5], np.float32)})
    assert refusal(proto) == "Div 'n': divisor 'c' has 1 zeros of 5 values; train or export it again"


@pytest.mark.parametrize(("a", "b"), [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((4,), (2, 3, 1)), ((1, 1), (7,))])
def test_division_of_computed_tensors(a, b):
    nodes = [node("Abs", ["b"], "m"), node("Add", ["m", "one"], "d"), node("Div", ["a", "d"], "y")]
    check_import(model(nodes, {"a": a, "b": b}, constants={"one": np.array(1, np.float32)}))


@pytest.mark.parametrize(
    ("c", "found"),
    [(np.ones((), np.float32), "Reciprocal"), (np.ones((1, 1), np.float32), "Reciprocal")]
    + [(np.array(c, np.float32), "Div") for c in (2.0, [[[1.0]]], [[0.5], [2.0], [-1.0]])],
)
def test_division_of_a_constant(c, found):
    nodes = [node("Exp", ["x"], "e"), node("Div", ["c", "e"], "y")]
    graph = check_import(model(nodes, {"x": (3, 4)}, constants={"c": c}))
    assert [type(n.op).__name__ for n in graph.nodes if type(n.op).__name__ in ("Div", "Reciprocal")] == [found]


def test_operands_that_do_not_broadcast_are_refused():
    proto = model([node("Add", ["a", "b"], "y", "n")], {"a": (2, 3, 4), "b": (3, 1)})
    assert check_import(proto).tensors["y"].shape == (2, 3, 4)
    proto = model([node("Add", ["a", "b"], "y", "n")], {"a": (2, 3, 4), "b": (2, 1)})
    assert refusal(proto) == "Add 'n': shapes [2, 3, 4] and [1, 2, 1] do not broadcast"


@pytest.mark.parametrize("opset", [7, 11, 12, 17])
@pytest.mark.parametrize("low", [None, -0.5])
@pytest.mark.parametrize("high", [None, 0.75])
def test_clip_with_either_bound_or_none(opset, low, high):
    bounds = {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    if opset < 11:
        proto = layer("Clip", opset, **bounds)
    else:
        inputs = ["x", *(name if name in bounds else "" for name in ("min", "max"))]
        constants = {name: np.float32(value) for name, value in bounds.items()}
        proto = model([node("Clip", inputs, "y")], X, constants=constants, opset=opset)
    check_import(proto)


def test_clip_without_its_optional_inputs():
    check_import(layer("Clip"))
    check_import(layer("Clip", constants={"min": np.float32(0)}))


def test_clip_may_have_infinite_bounds():
    check_import(layer("Clip", constants={"min": np.float32(-np.inf), "max": np.float32(6)}))
    check_import(layer("Clip", 7, min=0.0, max=np.inf))
    check_import(layer("Clip", constants={"min": np.float32(0), "max": np.float32(np.finfo(np.float32).max)}))


@pytest.mark.parametrize(
    "op_type", ["Relu", *(op for op in FUNCTIONS if op not in ("Clip", "Log", "Pow", "Reciprocal", "Sqrt"))]
)
def test_functions_with_their_default_parameters(op_type):
    check_import(layer(op_type, SINCE.get(op_type, 17)))


@pytest.mark.parametrize("op_type", ["Log", "Reciprocal", "Sqrt"])
def test_functions_of_positive_numbers(op_type):
    check_import(model([node("Exp", ["x"], "e"), node(op_type, ["e"], "y")], X))


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("LeakyRelu", {"alpha": 0.0}),
        ("LeakyRelu", {"alpha": -0.5}),
        ("LeakyRelu", {"alpha": 2.0}),
        ("HardSigmoid", {"alpha": 1.0 / 6}),
        ("HardSigmoid", {"beta": 0.0}),
        ("HardSigmoid", {"alpha": -0.3, "beta": 0.6}),
        ("Elu", {"alpha": -0.5}),
        ("Celu", {"alpha": 2.5}),
        ("ThresholdedRelu", {"alpha": -0.5}),
    ],
)
def test_functions_with_other_parameters(op_type, attributes):
    check_import(layer(op_type, **attributes))


@pytest.mark.parametrize("attributes", [{}, {"approximate": "none"}, {"approximate": "tanh"}])
def test_gelu_in_both_forms(attributes):
    check_import(layer("Gelu", 20, **attributes))


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.0, 1.0, -2.0])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_pow_of_a_constant_exponent_of_any_type(exponent, kind):
    check_import(layer("Pow", constants={"e": np.array(exponent, kind)}))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            layer("Pow", constants={"e": np.full((1, 1, 1, 1, 1), 2.0, np.float32)}),
            "Pow 'n': the exponent has 5 dimensions, x 4; give one number",
        ),
        (
            layer("Pow", constants={"e": np.array(np.inf, np.float32)}),
            "Pow 'n': exponent=inf is not supported; it must be finite",
        ),
        (layer("Celu", alpha=-1.0), "Celu 'n': alpha=-1 is not supported; it must be positive"),
        (
            layer("Gelu", 20, approximate="erf"),
            "Gelu 'n': approximate='erf' is not supported; use 'none' or 'tanh'",
        ),
    ],
)
def test_functions_that_are_not_supported(proto, message):
    assert refusal(proto) == message


def test_functions_one_behind_the_other():
    types = ["Relu", "Tanh", "HardSigmoid", "LeakyRelu", "Sigmoid", "HardSwish", "Relu"]
    names = ["x", *(f"t{i}" for i in range(len(types) - 1)), "y"]
    check_import(model([node(t, [a], b) for t, a, b in zip(types, names[:-1], names[1:], strict=True)], X))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 5), (1, 3, 2, 2, 2)])
@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_normalization_of_any_rank(opset, shape):
    constants = {name: random(3, seed=i, low=0.25, high=2) for i, name in enumerate(("s", "b", "m", "v"))}
    normalization = node("BatchNormalization", ["x", *constants], "y", epsilon=0.01, momentum=0.9)
    check_import(model([normalization], {"x": shape}, constants=constants, opset=opset))


def test_batch_normalization_has_a_default_epsilon():
    constants = {"s": random(3), "b": random(3, seed=1), "m": random(3, seed=2), "v": np.full(3, 1e-5, np.float32)}
    check_import(layer("BatchNormalization", constants=constants))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, -1, -2, -4])
@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [7, 11, 13])
def test_softmax_along_any_axis(opset, op_type, axis):
    if axis is not None and axis < 0:
        opset = max(opset, 11)
    check_import(layer(op_type, opset, **({} if axis is None else {"axis": axis})), samples=1)


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
def test_softmax_of_a_vector(op_type):
    check_import(model([node(op_type, ["x"], "y")], {"x": (5,)}, opset=13))
    check_import(model([node(op_type, ["x"], "y", axis=0)], {"x": (5,)}, opset=11))


def test_dropout_does_nothing():
    head, tail = node("Relu", ["x"], "a"), node("Sigmoid", ["d"], "y")
    forms = {
        7: node("Dropout", ["a"], "d", ratio=0.5),
        10: node("Dropout", ["a"], ["d", "mask"]),
        12: node("Dropout", ["a", "ratio"], ["d", "mask"], seed=3),
        13: node("Dropout", ["a", "", "training"], "d"),
        22: node("Dropout", ["a", "ratio", "training"], ["d", ""]),
    }
    constants = {"ratio": np.float32(0.5), "training": np.array(False)}
    for opset, dropout in forms.items():
        graph = check_import(model([head, dropout, tail], X, constants=constants, opset=opset))
        assert len(graph.nodes) == 2


@pytest.mark.parametrize("op_type", ["Identity", "Dropout"])
def test_what_changes_nothing_takes_over_the_name_of_the_output(op_type):
    graph = check_import(model([node("Relu", ["x"], "a"), node(op_type, ["a"], "y")], X))
    assert [n.output for n in graph.nodes] == ["y"]


@pytest.mark.parametrize("op_type", ["Identity", "Dropout"])
def test_an_input_may_go_straight_to_an_output_of_another_name(op_type):
    graph = check_import(model([node(op_type, ["x"], "y")], X))
    assert [n.op for n in graph.nodes] == [Identity()]


def normalization(count: int, outputs: tuple[str, ...] = ("y",), shape=(1, 3, 4), **options) -> onnx.ModelProto:
    constants = {name: random(count, low=0.5) for name in ("s", "b", "m", "v")}
    attributes = options.pop("attributes", {})
    layers = [node("BatchNormalization", ["x", *constants], outputs, "n", **attributes)]
    return model(layers, {"x": shape}, constants=constants, **options)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (normalization(4), "BatchNormalization 'n': parameters do not fit 3 channels"),
        (normalization(3, shape=(3,)), "BatchNormalization 'n': input of shape [3] has no channels"),
        (
            normalization(3, ("y", "mean", "var"), attributes={"training_mode": 1}),
            "BatchNormalization 'n': is in training mode; export the model for inference (model.eval())",
        ),
        (
            normalization(3, ("y", "m2", "v2", "sm", "sv"), opset=9),
            "BatchNormalization 'n': is in training mode; export the model for inference (model.eval())",
        ),
        (
            layer("Clip", constants={"min": np.float32(1), "max": np.float32(0.5)}),
            "Clip 'n': min=1 is above max=0.5",
        ),
        (
            layer("Clip", constants={"min": random(2), "max": np.float32(0.5)}),
            "Clip 'n': min is float32 of shape [2]; it must be one number",
        ),
        (layer("Clip", 7, max=np.nan), "Clip 'n': max is nan; it must be one number"),
        (
            layer("Clip", constants={"min": np.float32(np.nan)}),
            "Clip 'n': min is nan; it must be one number",
        ),
        (
            model([node("Clip", ["x", "", "m"], "y", "n")], {"x": (2, 3), "m": (3,)}),
            "Clip 'n': max has shape [3]; it must be one number",
        ),
        (layer("Softmax", axis=4), "Softmax 'n': axis=4 is outside a tensor of 4 dimensions"),
        (layer("LogSoftmax", 7, axis=-5), "LogSoftmax 'n': axis=-5 is outside a tensor of 4 dimensions"),
        (
            model([node("Dropout", ["x"], ["d", "m"], "n"), node("Cast", ["m"], "y", to=1)], X),
            "Dropout 'n': output mask is not supported; export the model for inference (model.eval())",
        ),
        (
            model([node("Dropout", ["x"], ["d", "m"], "n")], X, {"d": 1, "m": 9}),
            "Dropout 'n': output mask is not supported; export the model for inference (model.eval())",
        ),
        (
            layer("Dropout", constants={"ratio": np.float32(0.5), "training": np.array(True)}),
            "Dropout 'n': is in training mode; export the model for inference (model.eval())",
        ),
        (
            layer("Relu", beta=1.0),
            "Relu 'n': is invalid: Unrecognized attribute: beta for operator Relu",
        ),
        (
            model([node("Relu", ["x", "x"], "y", "n")], X),
            "Relu 'n': is invalid: Node(n) with schema(::Relu:14) has input size 2 not in range [min=1, max=1].",
        ),
        (
            layer("LeakyRelu", alpha=1),
            "LeakyRelu 'n': is invalid: Mismatched attribute type in 'n : alpha'. Expected: 'FLOAT', actual: 'INT'",
        ),
        (
            layer("Mul", constants={"c": np.array([1 + 2j])[:0]}),
            "net.onnx: tensor 'c' is complex128; complex tensors are not supported, use float32",
        ),
        (
            layer("Mul", constants={"c": np.array([1e39, 2.0])}),
            "Mul 'n': operand 'c' holds 1 NaN or infinite of 2 values; train or export it again",
        ),
    ],
)
def test_a_layer_that_cannot_be_computed_is_refused(proto, message):
    text = refusal(proto)
    assert text.startswith(message) if message.endswith("supported: ") else text == message


def test_a_constant_may_be_integers_here_and_axes_there() -> None:
    """What one node reads as integers of the graph was taken for computed integers by the other."""
    nodes = [
        node("ArgMax", ["x"], "largest", axis=1),
        node("Equal", ["largest", "one"], "is_second"),
        node("Cast", ["is_second"], "a", to=TensorProto.FLOAT),
        node("ReduceSum", ["x", "one"], "b"),
    ]
    check_import(model(nodes, {"x": (3, 4)}, ["a", "b"], {"one": ints(1)}))


def test_integers_are_picked_at_constant_places() -> None:
    nodes = [
        node("Greater", ["x", "zero"], "is_above"),
        node("Gather", ["is_above", "places"], "picked", axis=1),
        node("Cast", ["picked"], "y", to=TensorProto.FLOAT),
    ]
    constants = {"zero": np.float32(0), "places": np.array([[3, 0], [1, -1]])}
    check_import(model(nodes, {"x": (3, 4)}, constants=constants))
