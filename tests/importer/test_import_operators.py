"""Every operator, in a plain form, at every opset from 7 on that changed its definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import check_import, ints, model, node, random

from mcuq.graph.tensor import Array
from mcuq.ops import FROM_ONNX

OLDEST, NEWEST = 7, 26  # NEWEST: what ONNX Runtime runs

IMAGE = (1, 3, 6, 5)

# Operator -> (attributes, constant inputs) of a plain form at an opset; the input is IMAGE unless FLAT names it.
Form = Callable[[int], tuple[dict[str, object], dict[str, Array]]]
FLAT = {
    "AffineGrid": (1, 2, 3),
    "DFT": (2, 8, 1),
    "DepthToSpace": (1, 8, 3, 2),
    "GroupNormalization": (1, 4, 6, 5),
    "GRU": (4, 2, 3),
    "Gemm": (2, 5),
    "LSTM": (4, 2, 3),
    "MatMul": (2, 5),
    "MatMulInteger": (2, 5),
    "STFT": (2, 30, 1),
    "SpaceToDepth": (1, 3, 6, 4),
    "Col2Im": (1, 12, 6),
    "MaxUnpool": (1, 3, 6, 4),
    "RNN": (4, 2, 3),
    "Split": (3, 2),
}

SCALE: dict[str, Array] = {"scale": np.array(0.03, np.float32), "zero": np.array(-7, np.int8)}


def attribute_or_input(since: int, attribute: dict[str, object], constants: dict[str, Array]) -> Form:
    """What became an input at opset `since`."""
    return lambda opset: (attribute, {}) if opset < since else ({}, constants)


def always(attributes: dict[str, object] | None = None, constants: dict[str, Array] | None = None) -> Form:
    return lambda opset: (attributes or {}, constants or {})


# ONNX Runtime 1.32 runs Swish of opset 24 alone, and GlobalLpPool to 21.
NOT_RUN = {("Swish", NEWEST), ("GlobalLpPool", 22), ("GlobalLpPool", NEWEST), ("RoiAlign", 22), ("RoiAlign", NEWEST)}
# What ONNX has no more: Upsample from opset 10 on, which older models have.
GONE = {("Upsample", 10), ("Upsample", NEWEST), ("Scatter", NEWEST), ("Scatter", 11)}

# Functions that not all numbers have a value of -> what gives them such that have.
BEFORE = {
    **dict.fromkeys(("Log", "Pow", "Reciprocal", "ReduceLogSum", "Sqrt"), "Exp"),
    **dict.fromkeys(("Acos", "Asin", "Atanh"), "Sin"),
    "Acosh": "Cosh",
    "ConvInteger": "Softplus",
}

# What gives integers.
OF_INTEGERS = {"ArgMax", "ArgMin"}
OF_BOOLEANS = {
    *("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor"),
}
# What gives others than float32.
GIVES = {
    **dict.fromkeys(OF_INTEGERS, TensorProto.INT64),
    **dict.fromkeys(OF_BOOLEANS, TensorProto.BOOL),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), TensorProto.INT32),
    "DynamicQuantizeLinear": TensorProto.UINT8,
}
# What reads such, made of the real input.
READS = {
    "ConvInteger": TensorProto.UINT8,
    "MatMulInteger": TensorProto.INT8,
    **dict.fromkeys(("And", "Not", "Or", "Where", "Xor"), TensorProto.BOOL),
    **dict.fromkeys(("Equal", "OneHot"), TensorProto.INT64),
}

FORMS: dict[str, Form] = {
    "Abs": always(),
    "Acos": always(),
    "Acosh": always(),
    "Add": always(constants={"b": random(3, 1, 1)}),
    "Asin": always(),
    "Asinh": always(),
    "Atan": always(),
    "Atanh": always(),
    "AffineGrid": always(constants={"size": ints(1, 3, 4, 5)}),
    "And": always(constants={"b": np.array([True, False, True, True, False])}),
    "ArgMax": always({"axis": 2}),
    "ArgMin": always({"axis": 1, "keepdims": 0}),
    "Attention": always({"is_causal": 1}, {"k": random(1, 3, 6, 5, seed=1), "v": random(1, 3, 6, 4, seed=2)}),
    "AveragePool": always({"kernel_shape": [2, 2]}),
    "BatchNormalization": always(
        {"epsilon": 1e-3}, {n: random(3, low=0.5, high=2, seed=i) for i, n in enumerate(("scale", "B", "mean", "var"))}
    ),
    "Cast": always({"to": TensorProto.FLOAT}),
    "Ceil": always(),
    "CenterCropPad": always(constants={"shape": ints(1, 4, 4, 7)}),
    "Celu": always({"alpha": 0.75}),
    "Clip": attribute_or_input(11, {"min": -0.5, "max": 0.75}, {"min": random(), "max": random(seed=3) + 2}),
    "Col2Im": always(constants={"image_shape": ints(3, 4), "block_shape": ints(2, 2)}),
    "Compress": always({"axis": 2}, {"condition": np.array([True, False, True, True, False])}),
    "Concat": always({"axis": 1}, {"b": random(1, 2, 6, 5)}),
    "Conv": always({"pads": [1, 1, 1, 1]}, {"w": random(4, 3, 3, 3), "b": random(4)}),
    "ConvInteger": always({"pads": [1, 0, 1, 1]}, {"w": np.arange(108, dtype=np.uint8).reshape(4, 3, 3, 3)}),
    "ConvTranspose": always({"strides": [2, 2], "pads": [1, 0, 1, 1]}, {"w": random(3, 4, 3, 2), "b": random(4)}),
    "Cos": always(),
    "CumSum": always({"reverse": 1}, {"axis": np.int64(2)}),
    "Cosh": always(),
    "DFT": always(),
    "DepthToSpace": always({"blocksize": 2}),
    "DequantizeLinear": always(constants=SCALE),
    "Div": always(constants={"b": random(3, 1, 1) + 2}),
    "Dropout": attribute_or_input(12, {"ratio": 0.25}, {"ratio": random()}),
    "DynamicQuantizeLinear": always(),
    "Einsum": always({"equation": "nchw,kc->nkhw"}, {"b": random(4, 3)}),
    "Elu": always({"alpha": 0.75}),
    "Equal": always(constants={"b": ints(0, 1, -1, 0, 2)}),
    "Erf": always(),
    "Exp": always(),
    "Expand": always(constants={"shape": ints(2, 1, 6, 5)}),
    "Flatten": always({"axis": 2}),
    "Floor": always(),
    "Gather": always({"axis": 2}, {"indices": ints(1, 3, 5, 0)}),
    "GatherElements": always({"axis": 2}, {"indices": np.arange(1 * 3 * 4 * 5).reshape(1, 3, 4, 5) % 6}),
    "GatherND": always(constants={"indices": np.array([[0, 2, 1], [0, -1, 5]])}),
    "Gelu": always({"approximate": "tanh"}),
    "Gemm": always({"transB": 1}, {"b": random(4, 5), "c": random(4)}),
    "GlobalAveragePool": always(),
    "GlobalLpPool": always({"p": 1}),
    "GlobalMaxPool": always(),
    "GridSample": always(constants={"grid": random(1, 4, 3, 2)}),
    "GRU": always({"hidden_size": 5}, {"W": random(1, 15, 3), "R": random(1, 15, 5)}),
    "GroupNormalization": lambda opset: (
        {"num_groups": 2},
        {n: random(4 if opset >= 21 else 2, seed=i) for i, n in enumerate(("scale", "bias"))},
    ),
    "Greater": always(constants={"b": random(3, 1, 1)}),
    "GreaterOrEqual": always(constants={"b": random(3, 1, 1)}),
    "HardSigmoid": always({"alpha": 0.25, "beta": 0.375}),
    "HardSwish": always(),
    "Hardmax": always({"axis": 2}),
    "Identity": always(),
    "InstanceNormalization": always({"epsilon": 1e-3}, {"scale": random(3), "B": random(3, seed=1)}),
    "IsInf": always(),
    "IsNaN": always(),
    "LayerNormalization": always({"axis": -2}, {"Scale": random(6, 5), "B": random(6, 5, seed=1)}),
    "LpPool": always({"kernel_shape": [2, 3]}),
    "LSTM": always({"hidden_size": 5}, {"W": random(1, 20, 3), "R": random(1, 20, 5)}),
    "LRN": always({"size": 3, "alpha": 0.5}),
    "LeakyRelu": always({"alpha": 0.125}),
    "Less": always(constants={"b": random(3, 1, 1)}),
    "LessOrEqual": always(constants={"b": random(3, 1, 1)}),
    "Log": always(),
    "LogSoftmax": always({"axis": 1}),
    "LpNormalization": always({"axis": 1}),
    "MatMul": always(constants={"b": random(5, 4)}),
    "MatMulInteger": always(constants={"b": np.arange(-10, 10, dtype=np.int8).reshape(5, 4)}),
    "Max": always(constants={"limit": np.full(IMAGE, 0.25, np.float32)}),
    "MaxPool": always({"kernel_shape": [2, 2]}),
    "Mean": always(constants={"b": random(*IMAGE)}),
    "MeanVarianceNormalization": always(),
    "MaxUnpool": always({"kernel_shape": [2, 2], "strides": [2, 2]}),
    "Min": always(constants={"limit": np.full(IMAGE, 0.25, np.float32)}),
    "Mish": always(),
    "Mod": always({"fmod": 1}, {"b": random(3, 1, 1) + 2}),
    "Mul": always(constants={"b": random(3, 1, 1)}),
    "Neg": always(),
    "Not": always(),
    "OneHot": always({"axis": 1}, {"depth": np.int64(3), "values": np.float32([0.25, 2])}),
    "Or": always(constants={"b": np.array([True, False, True, True, False])}),
    "Pad": attribute_or_input(11, {"pads": [0, 0, 1, 2, 0, 0, 3, 0]}, {"pads": ints(0, 0, 1, 2, 0, 0, 3, 0)}),
    "Pow": always(constants={"exponent": np.array([1.5], np.float32)}),
    "PRelu": always(constants={"slope": random(3, 1, 1)}),
    "QuantizeLinear": always(constants=SCALE),
    "RNN": always({"hidden_size": 5}, {"W": random(1, 5, 3), "R": random(1, 5, 5)}),
    "RMSNormalization": always({"axis": -1, "epsilon": 1e-4}, {"scale": random(5)}),
    "Reciprocal": always(),
    "ReduceL1": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "ReduceL2": attribute_or_input(18, {"axes": [2, 3]}, {"axes": ints(2, 3)}),
    "ReduceLogSum": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "ReduceLogSumExp": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "ReduceMax": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "ReduceMean": attribute_or_input(18, {"axes": [2, 3]}, {"axes": ints(2, 3)}),
    "ReduceMin": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "ReduceProd": attribute_or_input(18, {"axes": [1]}, {"axes": ints(1)}),
    "ReduceSum": attribute_or_input(13, {"axes": [1, 2]}, {"axes": ints(1, 2)}),
    "ReduceSumSquare": attribute_or_input(18, {"axes": [1, 3]}, {"axes": ints(1, 3)}),
    "Relu": always(),
    "Reshape": always(constants={"shape": ints(1, -1, 5)}),
    "Resize": lambda opset: (
        ({}, {"scales": np.array([1, 1, 2, 3], np.float32)})
        if opset < 11
        else ({}, {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 3], np.float32)})
    ),
    "RoiAlign": always(
        {"output_height": 2, "output_width": 3}, {"rois": np.float32([[0, 1, 3, 4]]), "batch_indices": ints(0)}
    ),
    "ReverseSequence": always({"batch_axis": 0, "time_axis": 1}, {"lens": ints(2)}),
    "Round": always(),
    "Scatter": always({"axis": 3}, {"indices": np.zeros((1, 3, 6, 1), np.int64), "updates": random(1, 3, 6, 1)}),
    "STFT": always(constants={"step": np.int64(4), "window": random(8)}),
    "ScatterElements": always({"axis": 1}, {"indices": np.full((1, 1, 6, 5), 2), "updates": random(1, 1, 6, 5)}),
    "ScatterND": always(constants={"indices": np.array([[0, 2], [0, 1]]), "updates": random(2, 6, 5)}),
    "Selu": always({"alpha": 1.5, "gamma": 1.25}),
    "Shrink": always({"lambd": 0.375, "bias": 0.25}),
    "Sigmoid": always(),
    "Sign": always(),
    "Sin": always(),
    "Sinh": always(),
    "Slice": attribute_or_input(
        10, {"starts": [1], "ends": [5], "axes": [2]}, {"starts": ints(1), "ends": ints(5), "axes": ints(2)}
    ),
    "Softmax": always({"axis": 1}),
    "Softplus": always(),
    "Softsign": always(),
    "SpaceToDepth": always({"blocksize": 2}),
    "Split": attribute_or_input(13, {"split": [3]}, {"sizes": ints(3)}),
    "Sqrt": always(),
    "Squeeze": attribute_or_input(13, {"axes": [0]}, {"axes": ints(0)}),
    "Sub": always(constants={"b": random(3, 1, 1)}),
    "Sum": always(constants={"b": random(*IMAGE)}),
    "Swish": always({"alpha": 0.75}),
    "Tan": always(),
    "Tanh": always(),
    "ThresholdedRelu": always({"alpha": 0.75}),
    "Tile": always(constants={"repeats": ints(1, 2, 1, 3)}),
    "TopK": attribute_or_input(10, {"k": 3}, {"k": ints(3)}),
    "Transpose": always({"perm": [0, 2, 1, 3]}),
    "Upsample": lambda opset: (
        ({"scales": [1.0, 1.0, 2.0, 3.0]}, {}) if opset < 9 else ({}, {"scales": np.array([1, 1, 2, 3], np.float32)})
    ),
    "Trilu": always({"upper": 0}, {"k": np.int64(-1)}),
    "Unsqueeze": attribute_or_input(13, {"axes": [0, 3]}, {"axes": ints(0, 3)}),
    "Where": always(constants={"a": random(3, 1, 1), "b": random(5)}),
    "Xor": always(constants={"b": np.array([True, False, True, True, False])}),
}


def versions() -> list[tuple[str, int]]:
    """(operator, opset) at which its definition changed, and the oldest and newest at which it can be used."""
    found = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in FROM_ONNX and schema.since_version <= NEWEST:
            found.add((schema.name, max(schema.since_version, OLDEST)))
            found.add((schema.name, NEWEST))
    return sorted(found - NOT_RUN - GONE)


def test_every_operator_has_a_form_here():
    assert FORMS.keys() == FROM_ONNX.keys()


def plain_model(op_type: str, opset: int) -> onnx.ModelProto:
    """A file of the operator's plain form, from x to y; docs/make_operators.py says which layers it becomes."""
    attributes, constants = FORMS[op_type](opset)
    layers = [node(op_type, ["x", *constants], "y", **attributes)]
    if op_type in BEFORE:
        layers = [node(BEFORE[op_type], ["x"], "inside"), node(op_type, ["inside", *constants], "y", **attributes)]
    if op_type == "MaxUnpool":
        # Indices are those of a MaxPool.
        layers = [node("MaxPool", ["x"], ["p", "i"], **attributes), node(op_type, ["p", "i"], "y", **attributes)]
    if constants is SCALE:
        # One is nothing without the other, as integers are no output here.
        layers = [node("QuantizeLinear", ["x", *SCALE], "q"), node("DequantizeLinear", ["q", *SCALE], "y")]
    if op_type == "DynamicQuantizeLinear":
        layers = [node(op_type, ["x"], ["y", "scale", "zero"])]
    if op_type == "TopK":
        layers = [node(op_type, ["x", *constants], ["y", "indices"], **attributes)]
    if op_type in READS:
        cast = node("Cast", layers[-1].input[:1], "whole", to=READS[op_type])
        layers = [*layers[:-1], cast, node(op_type, ["whole", *constants], "y", **attributes)]
    outputs = {"y": GIVES.get(op_type, TensorProto.FLOAT)}
    return model(layers, {"x": FLAT.get(op_type, IMAGE)}, outputs, constants=constants, opset=opset)


@pytest.mark.parametrize(("op_type", "opset"), versions())
def test_an_operator_means_the_same_at_every_opset(op_type, opset):
    check_import(plain_model(op_type, opset))
