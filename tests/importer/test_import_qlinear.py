"""Operators on integers are read with their scales, as ONNX Runtime computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import node, refusal
from quantized_models import check_steps, scale_of

from mcuq.graph.tensor import Array

TYPES = ["int8", "uint8"]
MICROSOFT = "com.microsoft"


def integers(*shape: int, dtype: str, seed: int = 0) -> Array:
    """Weights about the middle of their type, -127 to 127 from it."""
    q = np.random.default_rng([seed, *shape]).integers(-127, 128, shape)
    return (q + (128 if dtype == "uint8" else 0)).astype(dtype)


def model(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int], constants: Mapping[str, Array], dtype: str
) -> onnx.ModelProto:
    """A model from an integer input `x` with scale `s` and zero point `z` to an integer output `y`."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    shift = 128 if dtype == "uint8" else 0
    stored = {
        "s": scale_of(0.0213),
        "z": np.array(5 + shift, dtype),
        "t": scale_of(0.0171),
        "u": np.array(-11 + shift, dtype),
        **constants,
    }
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def zero(dtype: str, shape: tuple[int, ...] = ()) -> Array:
    return np.full(shape, 128 if dtype == "uint8" else 0, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("group", [1, 4])
def test_qlinear_conv(dtype: str, per_channel: bool, group: int) -> None:
    scale = np.float32([0.0103, 0.0207, 0.0051, 0.0293]) if per_channel else scale_of(0.0103)
    w = integers(4, 4 // group, 3, 3, dtype=dtype)
    constants = {"w": w, "ws": scale, "wz": zero(dtype, scale.shape), "b": np.int32([100, -2000, 30, 4])}
    inputs = ["x", "s", "z", "w", "ws", "wz", "t", "u", "b"]
    layer = node("QLinearConv", inputs, "y", "conv", pads=[1, 1, 1, 1], group=group)
    graph = check_steps(model([layer], (1, 4, 6, 5), constants, dtype))
    (found,) = [item for item in graph.layers() if len(item.inputs) == 3]
    assert found.name == "conv"
    kept = w.astype(int) - int(zero(dtype))
    assert np.array_equal(found.inputs[1].values, kept.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("per_column", [True, False])
def test_qlinear_matmul(dtype: str, per_column: bool) -> None:
    scale = np.float32([0.0103, 0.0207, 0.0051, 0.0293]) if per_column else scale_of(0.0103)
    w = integers(7, 4, dtype=dtype)
    constants = {"w": w, "ws": scale, "wz": zero(dtype, scale.shape)}
    layer = node("QLinearMatMul", ["x", "s", "z", "w", "ws", "wz", "t", "u"], "y", "matmul")
    graph = check_steps(model([layer], (3, 7), constants, dtype), share=0.99)
    (found,) = [item for item in graph.layers() if len(item.inputs) == 3]
    assert np.array_equal(found.inputs[1].values, w.astype(int).T - int(zero(dtype)))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("transposed", [0, 1])
def test_qgemm(dtype: str, transposed: int) -> None:
    w = integers(*((4, 7) if transposed else (7, 4)), dtype=dtype)
    scale = np.float32([0.0103, 0.0207, 0.0051, 0.0293])
    constants = {"w": w, "ws": scale, "wz": zero(dtype, (4,)), "b": np.int32([100, -2000, 30, 4])}
    inputs = ["x", "s", "z", "w", "ws", "wz", "b", "t", "u"]
    layer = node("QGemm", inputs, "y", "gemm", transB=transposed, domain=MICROSOFT)
    check_steps(model([layer], (3, 7), constants, dtype), share=0.99)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("op_type", ["QLinearAdd", "QLinearMul"])
def test_operators_of_two_tensors(dtype: str, op_type: str) -> None:
    constants = {"k": integers(4, 1, 1, dtype=dtype), "ks": scale_of(0.0077), "kz": np.array(33, dtype)}
    inputs = ["x", "s", "z", "k", "ks", "kz", "t", "u"]
    check_steps(model([node(op_type, inputs, "y", domain=MICROSOFT)], (1, 4, 6, 5), constants, dtype))
    inputs = ["x", "s", "z", "x", "s", "z", "t", "u"]
    check_steps(model([node(op_type, inputs, "y", domain=MICROSOFT)], (1, 4, 6, 5), {}, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.13}),
        ("QLinearGlobalAveragePool", {}),
        ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 1, 0]}),
    ],
)
def test_operators_of_one_tensor(dtype: str, op_type: str, attributes: dict[str, object]) -> None:
    layer = node(op_type, ["x", "s", "z", "t", "u"], "y", domain=MICROSOFT, **attributes)
    check_steps(model([layer], (1, 4, 6, 5), {}, dtype), share=0.99)


@pytest.mark.parametrize("dtype", TYPES)
def test_qlinear_softmax(dtype: str) -> None:
    constants = {"t": scale_of(1 / 256), "u": np.array(0 if dtype == "uint8" else -128, dtype)}
    layer = node("QLinearSoftmax", ["x", "s", "z", "t", "u"], "y", domain=MICROSOFT, axis=-1, opset=13)
    check_steps(model([layer], (3, 10), constants, dtype), share=0.97)


@pytest.mark.parametrize("dtype", TYPES)
def test_qlinear_concat(dtype: str) -> None:
    constants = {"k": integers(1, 2, 6, 5, dtype=dtype), "ks": scale_of(0.0077), "kz": np.array(33, dtype)}
    inputs = ["t", "u", "x", "s", "z", "k", "ks", "kz"]
    check_steps(model([node("QLinearConcat", inputs, "y", domain=MICROSOFT, axis=1)], (1, 4, 6, 5), constants, dtype))


def test_a_network_of_operators_on_integers() -> None:
    constants = {
        "w": integers(4, 3, 3, 3, dtype="int8"),
        "ws": scale_of(0.0103),
        "wz": np.int8(0),
        "v": integers(2, 4, dtype="int8"),
    }
    nodes = [
        node("QLinearConv", ["x", "s", "z", "w", "ws", "wz", "t", "u"], "a"),
        node("MaxPool", ["a"], "b", kernel_shape=[2, 2]),
        node("QLinearGlobalAveragePool", ["b", "t", "u", "t", "u"], "c", domain=MICROSOFT),
        node("Flatten", ["c"], "d"),
        node("QGemm", ["d", "t", "u", "v", "ws", "wz", "", "t", "u"], "y", domain=MICROSOFT, transB=1),
    ]
    graph = check_steps(model(nodes, (1, 3, 6, 5), constants, "int8"), share=0.95)
    assert "FakeQuantize" not in graph.text()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            node("QLinearGlobalAveragePool", ["x", "s", "z", "t", "u"], "y", "pool", domain=MICROSOFT, channels_last=1),
            "QLinearGlobalAveragePool 'pool': channels_last=1 is not supported; use channels first (channels_last=0)",
        ),
        (
            node("QLinearSoftmax", ["x", "s", "z", "t", "u"], "y", "soft", domain=MICROSOFT, axis=1, opset=11),
            "QLinearSoftmax 'soft': axis=1 of opset 11 is not supported; use axis=-1, or opset 13",
        ),
        (
            node("QGemm", ["x", "s", "z", "x", "s", "z", "b", "t", "u"], "y", "gemm", domain=MICROSOFT, alpha=0.5),
            "QGemm 'gemm': alpha=0.5 with C is not supported; use alpha=1",
        ),
    ],
)
def test_what_is_not_supported(layer: onnx.NodeProto, text: str) -> None:
    assert refusal(model([layer], (2, 4, 6, 5), {"b": np.int32([1])}, "int8")) == text


def test_types_of_the_model_are_int8_and_uint8() -> None:
    proto = model([node("QLinearSigmoid", ["x", "s", "z", "t", "u"], "y", domain=MICROSOFT)], (4,), {}, "int8")
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT16
    assert refusal(proto) == (
        "DequantizeLinear 'x.real': dequantizes integers that are computed; supported are rows of a constant table"
    )
