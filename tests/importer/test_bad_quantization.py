"""Every quantization that cannot be kept is refused, with a text that says what is wrong and what to do."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, refusal
from quantized_models import dequantize, quantize, scale_of

X = {"x": (1, 3, 6, 5)}
GIVEN = {"s": scale_of(0.05), "z": np.int8(3)}


def refused(nodes, opset=21, shape=(1, 3, 6, 5), **constants):
    return refusal(model(nodes, {"x": shape}, constants={**GIVEN, **constants}, opset=opset))


def of_activation(opset=21, attributes=None, **constants):
    """The refusal of a model that quantizes its input."""
    return refused([quantize("x", "q", **(attributes or {})), dequantize("q", "y")], opset, **constants)


def of_weight(w, ws, wz, opset=21, attributes=None, op_type="Conv"):
    """The refusal of a model with a weight behind DequantizeLinear."""
    nodes = [dequantize("w", "wr", "ws", "wz", **(attributes or {})), node(op_type, ["x", "wr"], "y", "layer")]
    return refused(nodes, opset, (2, 3) if op_type == "MatMul" else (1, 3, 6, 5), w=w, ws=ws, wz=wz)


@pytest.mark.parametrize(
    ("scale", "text"), [(0.0, "0"), (-0.5, "-0.5"), (np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_a_scale_that_is_none(scale, text):
    assert of_activation(s=scale_of(scale)) == (
        f"QuantizeLinear 'quantize q': scale is {text}; it must be positive and finite"
    )


def test_a_scale_that_is_none_among_others():
    ws = np.float32([0.1, 0, 0.2, 0.3])
    assert of_weight(np.ones((4, 3, 1, 1), np.int8), ws, np.zeros(4, np.int8), attributes={"axis": 0}) == (
        "DequantizeLinear 'dequantize w': scale[1] is 0; it must be positive and finite"
    )


def test_a_scale_that_is_computed():
    nodes = [
        node("ReduceMean", ["x"], "s2", keepdims=0),
        quantize("x", "q", "s2"),
        dequantize("q", "y", "s2"),
    ]
    assert refused(nodes, 17) == (
        "QuantizeLinear 'quantize q': scale must be a constant; export the model with fixed weights and shapes"
    )


def test_a_scale_of_weights_that_is_computed():
    nodes = [
        node("ReduceMean", ["x"], "s2", keepdims=0),
        dequantize("w", "wr", "s2", "z"),
        node("Conv", ["x", "wr"], "y"),
    ]
    assert refused(nodes, 17, w=np.ones((4, 3, 1, 1), np.int8)) == (
        "DequantizeLinear 'dequantize w': scale must be a constant; export the model with fixed weights and shapes"
    )


def test_a_zero_point_that_is_computed():
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["a", "b", "c"], "dynamic"),
        quantize("x", "q", "s", "c"),
        dequantize("q", "y", "s", "c"),
    ]
    assert refused(nodes) == (
        "QuantizeLinear 'quantize q': zero_point must be a constant; export the model with fixed weights and shapes"
    )


def test_a_scale_of_another_type():
    assert of_activation(s=np.float16(0.05)) == ("QuantizeLinear 'quantize q': scale is float16; supported is float32")


def test_activations_of_a_type_stated_by_attribute():
    nodes = [
        node("QuantizeLinear", ["x", "s"], "q", "quantize", output_dtype=TensorProto.FLOAT8E5M2),
        node("DequantizeLinear", ["q", "s"], "y"),
    ]
    assert refused(nodes) == (
        "QuantizeLinear 'quantize': quantizes to float8_e5m2; supported are int8, uint8, int16 and uint16"
    )


def test_activations_of_float8():
    assert of_activation(z=helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0])) == (
        "QuantizeLinear 'quantize q': quantizes to float8_e4m3fn; supported are int8, uint8, int16 and uint16"
    )


def test_weights_of_4_bits_that_are_floats():
    w = helper.make_tensor("w", TensorProto.FLOAT4E2M1, [4, 3, 1, 1], [1] * 12)
    zero = helper.make_tensor("wz", TensorProto.FLOAT4E2M1, [], [0])
    assert of_weight(w, scale_of(0.1), zero).splitlines() == [
        "net.onnx: 2 things are in the way:",
        "  net.onnx: tensor 'w' is float4e2m1; sub-byte tensors are not supported, use float32",
        "  net.onnx: tensor 'wz' is float4e2m1; sub-byte tensors are not supported, use float32",
    ]


def test_weights_of_another_type():
    dtype = ml_dtypes.float8_e5m2
    w = np.ones((4, 3, 1, 1), np.float32).astype(dtype)
    assert of_weight(w, scale_of(0.1), np.zeros((), np.float32).astype(dtype)) == (
        "DequantizeLinear 'dequantize w': reads a constant of type float8_e5m2; supported are int8, uint8, int16, "
        "uint16 and int32"
    )


def test_a_zero_point_of_another_type_than_its_tensor():
    text = of_weight(np.ones((4, 3, 1, 1), np.int8), scale_of(0.1), np.uint8(128))
    assert text == ("DequantizeLinear 'dequantize w': zero_point is uint8, but its tensor is int8; give both one type")


def test_a_zero_point_of_an_int32_bias():
    assert of_weight(np.ones((4, 3, 1, 1), np.int32), scale_of(0.1), np.int32(7)) == (
        "DequantizeLinear 'dequantize w': zero_point of an int32 tensor is 7; it must be 0"
    )


def test_activations_with_a_scale_for_each_channel():
    constants = {"s": np.float32([0.1, 0.2, 0.3]), "z": np.int8([0, 0, 0])}
    assert of_activation(attributes={"axis": 1}, **constants) == (
        "QuantizeLinear 'quantize q': has 3 scales along axis 1; a computed tensor takes one scale for all of it"
    )


def test_scales_that_do_not_fit_their_axis():
    w, zeros = np.ones((4, 3, 1, 1), np.int8), np.zeros(4, np.int8)
    assert of_weight(w, np.float32([1, 2, 3, 4]), zeros, attributes={"axis": 1}) == (
        "DequantizeLinear 'dequantize w': scale of shape [4] does not fit axis 1 of [4, 3, 1, 1]"
    )
    assert of_weight(w, np.float32([1, 2, 3, 4]), zeros, attributes={"axis": 4}) == (
        "DequantizeLinear 'dequantize w': axis=4 is outside a tensor of 4 dimensions"
    )


def test_as_many_zero_points_as_scales():
    assert of_weight(np.ones((4, 3, 1, 1), np.int8), np.float32([1, 2, 3, 4]), np.int8(0), attributes={"axis": 0}) == (
        "DequantizeLinear 'dequantize w': has 4 scales and 1 zero points; give as many of each"
    )


def test_weights_with_a_scale_for_each_input():
    text = of_weight(
        np.ones((4, 3, 1, 1), np.int8), np.float32([1, 2, 3]), np.zeros(3, np.int8), attributes={"axis": 1}
    )
    assert text == (
        "Conv 'layer': weight 'wr' has scales along axis 1; supported are one scale, or one for each output channel, "
        "which are along axis 0"
    )
    text = of_weight(
        np.ones((3, 4), np.int8), np.float32([1, 2, 3]), np.zeros(3, np.int8), attributes={"axis": 0}, op_type="MatMul"
    )
    assert text == (
        "MatMul 'layer': weight 'wr' has scales along axis 0; supported are one scale, or one for each output channel, "
        "which are along axis 1"
    )


def test_integers_read_with_another_scale():
    assert refused([quantize("x", "q"), dequantize("q", "y", "t")], t=scale_of(0.1)) == (
        "DequantizeLinear 'dequantize q': reads integers with scale 0.1 and zero point 3 (as int8) that were made with "
        "scale 0.05 and zero point 3 (as int8); use one quantization for a tensor"
    )


def test_dequantizing_what_was_not_quantized():
    nodes = [node("Tanh", ["x"], "t"), dequantize("t", "y")]
    assert refused(nodes, 17) == (
        "DequantizeLinear 'dequantize t': reads a float32 tensor; it needs the integers of a QuantizeLinear"
    )


def test_computing_with_integers():
    nodes = [quantize("x", "q"), node("Add", ["q", "q"], "a", "sum"), dequantize("a", "y")]
    assert refused(nodes, 17) == (
        "Add 'sum': computes with the integers 'q' of a QuantizeLinear; put a DequantizeLinear before it: only Clip, "
        "Concat, DepthToSpace, Dropout, Expand, Flatten, Gather, GlobalMaxPool, Identity, MaxPool, Pad, ReduceMax, "
        "ReduceMin, Relu, Reshape, Resize, Slice, SpaceToDepth, Split, Squeeze, Tile, Transpose, Unsqueeze, Upsample "
        "may read integers"
    )


def test_joining_integers_of_several_scales():
    nodes = [
        quantize("x", "q"),
        quantize("x", "r", "t"),
        node("Concat", ["q", "r"], "c", "join", axis=1),
        dequantize("c", "y"),
    ]
    assert refused(nodes, 17, t=scale_of(0.1)) == (
        "Concat 'join': joins integers of several quantizations; give its inputs one scale and zero point"
    )


def test_limiting_integers_whose_zero_is_not_0():
    nodes = [quantize("x", "q"), node("Relu", ["q"], "r", "relu"), dequantize("r", "y")]
    assert refused(nodes, 17) == (
        "Relu 'relu': limits integers at 0, but their zero point is 3; put it before the QuantizeLinear"
    )


def test_an_output_of_integers_without_a_scale():
    proto = model([node("Relu", ["x"], "y")], X, {"y": TensorProto.UINT8})
    assert refusal(proto) == (
        "net.onnx: output 'y' is uint8, and what is computed is float32; state that, or put a QuantizeLinear with "
        "constant scale and zero point before it"
    )
