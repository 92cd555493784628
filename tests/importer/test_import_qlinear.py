"""Operators on integers are read with their scales, as ONNX Runtime computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import node, original_outputs, refusal
from quantized_models import check_steps, quantized, scale_of

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.transpose import Transpose

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
@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("QLinearGlobalAveragePool", {}),
        ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 1, 0]}),
    ],
)
def test_pools_of_channels_last(dtype: str, op_type: str, attributes: dict[str, object]) -> None:
    layer = node(op_type, ["x", "s", "z", "t", "u"], "y", domain=MICROSOFT, channels_last=1, **attributes)
    check_steps(model([layer], (1, 6, 5, 4), {}, dtype), share=0.99)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_network_of_channels_last(dtype: str) -> None:
    """As ONNX Runtime's optimizer makes it: the maximum of integers, behind a convolution that is not told its rank."""
    w = integers(4, 3, 3, 3, dtype="int8") // 2  # larger ones saturate in ONNX Runtime on CPUs without VNNI
    constants = {"w": w, "ws": scale_of(0.0206), "wz": np.int8(0), "b": np.int32([100, -2000, 30, 4])}
    inputs = ["x", "s", "z", "w", "ws", "wz", "t", "u", "b"]
    nodes = [
        node("QLinearConv", inputs, "a", "conv", domain=MICROSOFT, channels_last=1, pads=[1, 1, 1, 1], strides=[2, 1]),
        node("NhwcMaxPool", ["a"], "b0", "max", domain=MICROSOFT, kernel_shape=[2, 2], pads=[0, 1, 0, 0]),
        node("QLinearGlobalAveragePool", ["b0", "t", "u", "t", "u"], "y", "mean", domain=MICROSOFT, channels_last=1),
    ]
    graph = check_steps(model(nodes, (1, 6, 5, 3), constants, dtype), share=0.95)
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert np.array_equal(layer.inputs[1].values, w.transpose(0, 2, 3, 1))
    assert not [n for n in graph.nodes if isinstance(n.op, Transpose)]


@pytest.mark.parametrize("dtype", TYPES)
def test_maxima_of_channels_last(dtype: str) -> None:
    layer = node("NhwcMaxPool", ["x"], "q", domain=MICROSOFT, kernel_shape=[3, 2], strides=[1, 2], pads=[1, 0, 1, 1])
    nodes = [layer, node("QLinearSigmoid", ["q", "s", "z", "t", "u"], "y", domain=MICROSOFT)]
    check_steps(model(nodes, (2, 6, 5, 4), {}, dtype), share=0.99)


@pytest.mark.parametrize("dtype", TYPES)
def test_qlinear_where(dtype: str) -> None:
    constants = {
        "k": integers(1, 4, 1, 5, dtype=dtype),
        "ks": scale_of(0.0077),
        "kz": np.array(33, dtype),
        "c": np.random.default_rng(0).integers(0, 2, (1, 4, 6, 5)).astype(bool),
    }
    inputs = ["c", "x", "s", "z", "k", "ks", "kz", "t", "u"]
    check_steps(model([node("QLinearWhere", inputs, "y", domain=MICROSOFT)], (1, 4, 6, 5), constants, dtype))


@pytest.mark.parametrize("keepdims", [0, 1])
def test_qlinear_reduce_mean(keepdims: int) -> None:
    """Which ONNX Runtime has a definition of, and no kernel: it is Q/DQ around ReduceMean."""
    layer = node(
        "QLinearReduceMean", ["x", "s", "z", "t", "u"], "y", "mean", domain=MICROSOFT, axes=[2], keepdims=keepdims
    )
    spelled = [
        node("DequantizeLinear", ["x", "s", "z"], "a"),
        node("ReduceMean", ["a"], "b", "mean", axes=[2], keepdims=keepdims),
        node("QuantizeLinear", ["b", "t", "u"], "y"),
    ]
    shape = (1, 4, 6, 5)
    want = check_steps(model(spelled, shape, {}, "int8"), share=0.98)
    assert quantized(model([layer], shape, {}, "int8")).text().replace(".quantize", "") == want.text()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shapes", [((3, 7), (7, 4)), ((2, 3, 7), (2, 7, 4)), ((2, 2, 3, 7), (1, 2, 7, 4))])
def test_qlinear_matmul_of_two_computed_matrices(dtype: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Sums of many sizes, which meet both ends of the output's integers: one step at most where a sum is a half."""
    a, b = shapes
    constants = {"k": scale_of(0.00137), "kz": np.array(-3 + (128 if dtype == "uint8" else 0), dtype)}
    layer = node("QLinearMatMul", ["x", "s", "z", "x1", "k", "kz", "t", "u"], "y", "matmul")
    proto = model([layer], a, constants, dtype)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    proto.graph.input.append(helper.make_tensor_value_info("x1", kind, b))
    graph = quantized(proto)
    rng = np.random.default_rng(0)
    codes = {"x": rng.integers(-128, 128, (20, *a)), "x1": rng.integers(-128, 128, (20, *b))}
    codes["x"][0], codes["x1"][0] = 127, -128
    codes["x"][1], codes["x1"][1] = -128, -128
    shift = 128 if dtype == "uint8" else 0
    got = simulate(graph, {name: q.astype(np.int8) for name, q in codes.items()})["y"].astype(int)
    fed = [{name: (q[i] + shift).astype(dtype) for name, q in codes.items()} for i in range(20)]
    want = np.stack([original_outputs(proto, sample)["y"] for sample in fed]).astype(int) - shift
    assert (want.min(), want.max()) == (-128, 127)
    assert np.abs(got - want).max() <= 1
    assert (got == want).mean() >= 0.99


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
            node(
                "QLinearConv",
                ["x", "s", "z", "x", "s", "z", "t", "u"],
                "y",
                "conv",
                domain=MICROSOFT,
                channels_last=1,
            ),
            "QLinearConv 'conv': w must be a constant; export the model with fixed weights and shapes",
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


def test_channels_last_of_an_unknown_rank_and_attention_are_refused() -> None:
    reshaped = node("Reshape", ["x", "shape"], "a")
    pool = node("QLinearGlobalAveragePool", ["a", "s", "z", "t", "u"], "y", "pool", domain=MICROSOFT, channels_last=1)
    assert refusal(model([reshaped, pool], (2, 4, 6, 5), {"shape": np.int64([2, 24, 5])}, "int8")) == (
        "QLinearGlobalAveragePool 'pool': channels_last=1 of a tensor whose rank is not known; use channels first "
        "(channels_last=0)"
    )
    inputs = ["x", "w", "b", "s", "ws", "", "z", "wz"]
    attention = node("QAttention", inputs, "y", "attention", domain=MICROSOFT, num_heads=1)
    constants = {"w": integers(4, 12, dtype="int8"), "b": np.zeros(12, np.float32), "ws": scale_of(1), "wz": np.int8(0)}
    assert refusal(model([attention], (1, 3, 4), constants, "int8")).startswith(
        "net.onnx: operators that are not supported: com.microsoft.QAttention ('attention'), use QuantizeLinear and "
        "DequantizeLinear around Attention's MatMul, Softmax and MatMul; supported: "
    )


def test_types_of_the_model_are_int8_and_uint8() -> None:
    proto = model([node("QLinearSigmoid", ["x", "s", "z", "t", "u"], "y", domain=MICROSOFT)], (4,), {}, "int8")
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT16
    assert refusal(proto) == (
        "DequantizeLinear 'x.real': dequantizes integers that are computed; supported are rows of a constant table; "
        "use Cast and Mul"
    )
