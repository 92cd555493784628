"""Q/DQ models: scales, zero points, weights and biases are kept."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import check_import, imported, ints, model, node, original_outputs, random, refusal
from quantized_models import check_steps, dequantize, quantize, quantized, scale_of
from support import check_c

from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, given_quantization, insert_conversions, quantize_graph
from mcuq.quantize.notes import listed, narrowing_notes

X = {"x": (1, 3, 6, 5)}
# Of no round ratio: sums lie between two integers, seldom in the middle, where mcuq and ONNX Runtime round differently.
S, T = 0.0513, 0.0971
PARAMETERS = {"s": scale_of(S), "z": np.int8(3), "t": scale_of(T), "u": np.int8(-128)}


def weights(*shape: int, dtype: str = "int8", seed: int = 0) -> np.ndarray:
    limits = np.iinfo(dtype)
    return (
        np.random.default_rng([seed, *shape]).integers(limits.min + 1, limits.max, shape, endpoint=True).astype(dtype)
    )


def convolution(per_channel: bool = True, weight: str = "int8", activation: str = "int8"):
    """Q, DQ, Conv with int32 bias, Relu, Q, DQ, as quantizers write it."""
    scale = np.float32([0.0103, 0.0207, 0.0051, 0.0293]) if per_channel else scale_of(0.0103)
    shift = 128 if activation == "uint8" else 0
    zero = 128 if weight == "uint8" else 0
    # Symmetric about the zero point: 0 in uint8 would be -128.
    constants = {
        "s": scale_of(S),
        "z": np.array(3 + shift, activation),
        "t": scale_of(T),
        "u": np.array(-128 + shift, activation),
        "w": weights(4, 3, 3, 3, dtype=weight),
        "ws": scale,
        "wz": np.full(scale.shape, zero, weight),
        "b": np.int32([100, -2000, 30, 4]),
        "bs": np.float32(S) * scale,
        "bz": np.zeros(scale.shape, np.int32),
    }
    axis = {"axis": 0} if per_channel else {}
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", **axis),
        dequantize("b", "br", "bs", "bz", **axis),
        node("Conv", ["xr", "wr", "br"], "c", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        quantize("r", "rq", "t", "u"),
        dequantize("rq", "y", "t", "u"),
    ]
    return model(nodes, X, constants=constants)


@pytest.mark.parametrize(("activation", "middle"), [("int16", 0), ("uint16", 32768)])
def test_activations_of_16_bits(activation: str, middle: int) -> None:
    """Compiled in int16 they are those of ONNX Runtime."""
    scale = np.float32([0.0103, 0.0207, 0.0051, 0.0293])
    constants = {
        "s": scale_of(S / 256),
        "z": np.array(middle, activation),
        "t": scale_of(T / 256),
        "w": weights(4, 3, 3, 3),
        "ws": scale,
        "wz": np.zeros(4, np.int8),
        "b": random(4),
    }
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr", "b"], "c"),
        quantize("c", "cq", "t"),
        dequantize("cq", "y", "t"),
    ]
    proto = model(nodes, X, constants=constants, opset=21)
    scheme = Scheme(NAMED["int16"])
    graph = quantize_graph(insert_conversions(optimize(imported(proto)), scheme), {}, scheme)
    assert graph.tensors["x"].quant == Quant((float(np.float32(S / 256)),), 0, "int16")
    assert graph.tensors["y"].quant == Quant((float(np.float32(T / 256)),), 0, "int16")
    x = np.random.default_rng(0).normal(0, 3, (10, 1, 3, 6, 5)).astype(np.float32)
    got = simulate(graph, quantize_inputs(graph, {"x": x}))["y"]
    for index, sample in enumerate(x):
        want = original_outputs(proto, {"x": sample})["y"] / np.float32(T / 256)
        assert np.abs(got[index] - want).max() < 1.5


def wide_convolution(dtype: str, zero: int, y_zero: int):
    """Activations of 16 bits, with a Relu's limit in the output's zero point where that is its least code."""
    constants = {
        "s": scale_of(S / 256),
        "z": np.array(zero, dtype),
        "t": scale_of(T / 256),
        "u": np.array(y_zero, dtype),
        "w": weights(4, 3, 3, 3),
        "ws": np.float32([0.0103, 0.0207, 0.0051, 0.0293]),
        "wz": np.zeros(4, np.int8),
        "b": random(4),
    }
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr", "b"], "c"),
        quantize("c", "cq", "t", "u"),
        dequantize("cq", "y", "t", "u"),
    ]
    return model(nodes, X, constants=constants, opset=21)


@pytest.mark.parametrize(
    ("dtype", "zero", "y_zero"), [("uint16", 20000, 0), ("uint16", 32768, 65000), ("int16", 5, -3000)]
)
@pytest.mark.parametrize("name", ["int16", "int8"])
def test_activations_of_16_bits_with_zero_points_keep_their_range(dtype, zero, y_zero, name) -> None:
    """In int16 about 0, where both ends stay those of the file. What rounding inputs and outputs costs, in the file
    and here, is the whole difference."""
    proto = wide_convolution(dtype, zero, y_zero)
    scheme = Scheme(NAMED[name])
    graph = insert_conversions(optimize(imported(proto)), scheme)
    integer = quantize_graph(graph, {}, scheme)
    x, y = (graph.tensors[n].quantization for n in "xy")
    found_x, found_y = (integer.tensors[n].quantization for n in "xy")
    assert y.zero_point == y_zero - (32768 if dtype == "uint16" else 0)
    if name == "int16":
        assert (found_x.zero_point, found_y.zero_point) == (0, 0)
        assert x.step <= found_x.step <= 2.0001 * x.step
        assert y.step <= found_y.step <= 2.0001 * y.step
    samples = np.clip(np.random.default_rng(0).normal(0, 3, (20, *X["x"])), *x.real_bounds).astype(np.float32)
    got = found_y.dequantize(simulate(integer, quantize_inputs(integer, {"x": samples}))["y"])
    want = np.stack([original_outputs(proto, {"x": sample})["y"] for sample in samples])
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    largest_sum = np.abs(layer.inputs[1].values).reshape(4, -1).sum(axis=1).max()
    steps = largest_sum * (x.step + found_x.step) + y.step + found_y.step
    assert np.abs(got - want).max() < 0.5 * steps
    assert np.sqrt(np.square(got - want).mean()) < 0.1 * steps
    low, high = y.real_bounds
    assert want.min() == pytest.approx(low, abs=1e-4) or want.max() == pytest.approx(high, abs=1e-4)
    assert got.min() >= low - found_y.step
    assert got.max() <= high + found_y.step
    finer = (
        "the model has 16 bits for 'x', 'transpose', 'y' and 1 more, and the scheme fewer; --scheme int16 keeps them"
    )
    moved = [name for name in integer.tensors if (q := graph.tensors.get(name)) is not None and _has_zero_point(q)]
    about = (
        f"the model has 16 bits about another zero point than the middle for {listed(moved)}: here they are about 0, "
        "with the same range and steps of up to twice the size"
    )
    assert narrowing_notes(graph, integer) == ((about if name == "int16" else finer),)


def _has_zero_point(tensor) -> bool:
    return not tensor.is_constant and tensor.quant is not None and tensor.quant.zero_point != 0


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_16_bits_with_zero_points(on: str) -> None:
    scheme = Scheme(NAMED["int16"])
    graph = insert_conversions(optimize(imported(wide_convolution("uint16", 20000, 0))), scheme)
    check_c(quantize_graph(graph, {}, scheme), on)


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
@pytest.mark.parametrize("stated", [True, False])
def test_inputs_and_outputs_of_16_bits_speak_in_real_values(dtype: str, stated: bool) -> None:
    """A zero point that is left out is 0 of their type."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    z, u = (["z"], ["u"]) if stated else ([], [])
    nodes = [
        node("DequantizeLinear", ["x", "s", *z], "a"),
        node("Tanh", ["a"], "b"),
        node(
            "QuantizeLinear",
            ["b", "t", *u],
            "y",
            output_dtype=0 if stated else helper.np_dtype_to_tensor_dtype(np.dtype(dtype)),
        ),
    ]
    constants = {"s": scale_of(S / 256), "t": scale_of(1 / 30000)}
    if stated:
        middle = 32768 if dtype == "uint16" else 0
        constants |= {"z": np.array(middle, dtype), "u": np.array(middle, dtype)}
    proto = model(nodes, X, {"y": kind}, constants, opset=21)
    proto.graph.input[0].type.tensor_type.elem_type = kind
    graph = optimize(imported(proto))
    zero = 0 if stated or dtype == "int16" else -32768
    assert graph.tensors["x"].quant == Quant((float(np.float32(S / 256)),), zero, "int16")
    assert graph.tensors["y"].quant == Quant((float(np.float32(1 / 30000)),), zero, "int16")


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("activation", ["int8", "uint8"])
@pytest.mark.parametrize("weight", ["int8", "uint8"])
def test_convolution_keeps_every_integer(per_channel, weight, activation):
    proto = convolution(per_channel, weight, activation)
    graph = check_steps(proto)
    assert [type(n.op).__name__ for n in graph.nodes] == ["Conv2d", "Transpose"] or len(graph.nodes) <= 3
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    stored = weights(4, 3, 3, 3, dtype=weight).astype(int) - (128 if weight == "uint8" else 0)
    assert np.array_equal(layer.inputs[1].values, stored.transpose(0, 2, 3, 1))
    assert graph.tensors["x"].quant == FakeQuantize(float(np.float32(S)), 3).quant
    assert graph.tensors["y"].quant == FakeQuantize(float(np.float32(T)), -128).quant
    unfolded = layer.inputs[2].values + 3 * layer.inputs[1].values.reshape(4, -1).sum(axis=1, dtype=int)
    assert unfolded.tolist() == [100, -2000, 30, 4]


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("per_channel", [True, False])
def test_transposed_convolution_keeps_every_integer(per_channel, group):
    """Weights (I, O/group, H, W): scales along axis 1, which all groups share."""
    scale = np.float32([0.0103, 0.0207, 0.0051]) if per_channel else scale_of(0.0103)
    stored = weights(4, 3, 3, 2)
    constants = {
        **PARAMETERS,
        "w": stored,
        "ws": scale,
        "wz": np.zeros(scale.shape, np.int8),
        "b": np.int32([100, -2000, 30] * group),
        "bs": np.float32(S) * (np.tile(scale, group) if per_channel else scale),
    }
    constants["bz"] = np.zeros(constants["bs"].shape, np.int32)
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=1),
        dequantize("b", "br", "bs", "bz", axis=0),
        node("ConvTranspose", ["xr", "wr", "br"], "c", "up", strides=[2, 2], pads=[1, 0, 0, 0], group=group),
        quantize("c", "cq", "t", "u"),
        dequantize("cq", "y", "t", "u"),
    ]
    graph = check_steps(model(nodes, {"x": (1, 4, 4, 3)}, constants=constants))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    found = layer.inputs[1]
    assert sorted(found.values[found.values != 0].tolist()) == sorted(stored[stored != 0].tolist())
    in_file = np.tile(scale.astype(float) * np.ones(3), group)
    assert found.quantization.scale == tuple(np.repeat(in_file, 4).tolist())
    proto = model(nodes, {"x": (1, 4, 4, 3)}, constants=constants)
    assert given_quantization(optimize(imported(proto))).weights == ("up",)


def test_scales_of_a_transposed_convolutions_inputs_are_refused():
    constants = {**PARAMETERS, "w": weights(4, 3, 3, 2), "ws": np.float32([1, 2, 3, 4]), "wz": np.zeros(4, np.int8)}
    nodes = [dequantize("w", "wr", "ws", "wz", axis=0), node("ConvTranspose", ["x", "wr"], "y", "up")]
    assert refusal(model(nodes, {"x": (1, 4, 4, 3)}, constants=constants)) == (
        "ConvTranspose 'up': weight 'wr' has scales along axis 0; supported are one scale, or one for each output "
        "channel, which are along axis 1"
    )


def test_float_meaning_is_onnx_runtimes():
    check_import(convolution())


def test_integers_move_as_they_are():
    nodes = [
        quantize("x", "a"),
        node("MaxPool", ["a"], "b", kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
        node("Transpose", ["b"], "c", perm=[0, 2, 3, 1]),
        node("Concat", ["c", "k"], "d", axis=3),
        node("Slice", ["d", "starts", "ends"], "e"),
        node("Pad", ["e", "pads", "fill"], "f"),
        node("Reshape", ["f", "shape"], "g"),
        dequantize("g", "y"),
    ]
    constants = {
        "s": scale_of(S),
        "z": np.int8(3),
        "k": weights(1, 6, 5, 2),
        "starts": ints(0, 1),
        "ends": ints(1, 5),
        "pads": ints(0, 0, 1, 0, 0, 0, 0, 1),
        "fill": np.int8(3),
        "shape": ints(1, -1),
    }
    graph = check_steps(model(nodes, X, constants=constants, opset=18), most=0)
    assert {t.quant for t in graph.tensors.values() if not t.is_constant} == {graph.tensors["y"].quant}


def test_integers_move_as_they_are_in_spelled_operators():
    nodes = [
        quantize("x", "a"),
        node("Split", ["a", "halves"], ["b", "c"], axis=1),
        node("Gather", ["b", "order"], "d", axis=2),
        node("Tile", ["c", "twice"], "e"),
        node("Concat", ["d", "e"], "f", axis=1),
        node("DepthToSpace", ["f"], "g", blocksize=2),
        node("Resize", ["g", "", "scales"], "h", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("ReduceMax", ["h", "width"], "i", keepdims=0),
        dequantize("i", "y"),
    ]
    constants = {
        "s": scale_of(S),
        "z": np.int8(3),
        "halves": ints(1, 3),
        "order": ints(5, 3, 1, 0, 0, 2),
        "twice": ints(1, 1, 1, 1),
        "scales": np.array([1, 1, 3, 1.5], np.float32),
        "width": ints(3),
    }
    graph = check_steps(model(nodes, {"x": (1, 4, 6, 5)}, constants=constants, opset=18), most=0)
    assert {t.quant for t in graph.tensors.values() if not t.is_constant} == {graph.tensors["y"].quant}


@pytest.mark.parametrize(("kind", "zero"), [(TensorProto.UINT8, np.uint8(7)), (TensorProto.INT8, np.int8(7))])
def test_integers_may_be_cast_to_their_own_type(kind, zero):
    """PyTorch's exporter of quantized modules casts in front of each DequantizeLinear."""
    nodes = [
        quantize("x", "a"),
        node("Cast", ["a"], "b", to=kind),
        node("MaxPool", ["b"], "c", kernel_shape=[2, 2]),
        node("Cast", ["c"], "d", to=kind),
        dequantize("d", "y"),
    ]
    graph = check_steps(model(nodes, X, constants={"s": scale_of(S), "z": zero}), most=0)
    assert {t.quant for t in graph.tensors.values() if not t.is_constant} == {graph.tensors["y"].quant}


def test_integers_cast_to_another_type_are_refused():
    nodes = [quantize("x", "a"), node("Cast", ["a"], "b", "cast", to=TensorProto.INT32), dequantize("b", "y", "s", "")]
    constants = {"s": scale_of(S), "z": np.int8(3)}
    assert refusal(model(nodes, X, constants=constants)).startswith(
        "Cast 'cast': computes with the integers 'a' of a QuantizeLinear; put a DequantizeLinear before it: only Clip, "
    )


def test_relu_on_integers_with_zero_point_0():
    nodes = [quantize("x", "a"), node("Relu", ["a"], "b"), dequantize("b", "y")]
    check_steps(model(nodes, X, constants={"s": scale_of(S), "z": np.int8(0)}), most=0)


def test_weights_that_are_transposed_behind_dequantize_linear_keep_their_scales():
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0),
        node("Transpose", ["wr"], "wt", perm=[1, 0]),
        node("MatMul", ["xr", "wt"], "m"),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    w = weights(4, 5)
    constants = {**PARAMETERS, "w": w, "ws": np.float32([0.0103, 0.0207, 0.0293, 0.0411]), "wz": np.zeros(4, np.int8)}
    graph = check_steps(model(nodes, {"x": (2, 5)}, constants=constants))
    (layer,) = graph.layers()
    assert np.array_equal(layer.inputs[1].values, w)


@pytest.mark.parametrize("attributes", [{"transB": 1}, {"transB": 0}, {"transB": 1, "alpha": 0.5}])
def test_gemm_keeps_its_integers(attributes):
    transposed = attributes["transB"]
    w = weights(*((4, 5) if transposed else (5, 4)))
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0 if transposed else 1),
        node("Gemm", ["xr", "wr", "b"], "m", **attributes),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    constants = {
        **PARAMETERS,
        "w": w,
        "ws": np.float32([0.0103, 0.0207, 0.0293, 0.0411]),
        "wz": np.zeros(4, np.int8),
        "b": random(4),
    }
    graph = check_steps(model(nodes, {"x": (2, 5)}, constants=constants))
    (layer,) = graph.layers()
    assert np.array_equal(layer.inputs[1].values, w if transposed else w.T)


def test_weights_quantized_in_the_file_are_kept_too():
    """Quantization-aware training exports float weights behind Q/DQ."""
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        quantize("w", "wq", "ws", "wz", axis=0),
        dequantize("wq", "wr", "ws", "wz", axis=0),
        node("Gemm", ["xr", "wr"], "m", transB=1),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    w, scale = random(4, 5), np.float32([0.0103, 0.0207, 0.0293, 0.0411])
    constants = {**PARAMETERS, "w": w, "ws": scale, "wz": np.zeros(4, np.int8)}
    graph = check_steps(model(nodes, {"x": (2, 5)}, constants=constants))
    (layer,) = graph.layers()
    assert np.array_equal(layer.inputs[1].values, np.clip(np.rint(w / scale[:, None]), -128, 127))


def test_batch_norm_behind_quantized_weights_changes_their_signs_alone():
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr"], "c"),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], "n"),
        quantize("n", "nq", "t", "u"),
        dequantize("nq", "y", "t", "u"),
    ]
    w = weights(4, 3, 1, 1)
    constants = {
        **PARAMETERS,
        "w": w,
        "ws": np.float32([0.0103, 0.0207, 0.0293, 0.0411]),
        "wz": np.zeros(4, np.int8),
        "gamma": np.float32([1, -2, 0.5, 3]),
        "beta": random(4),
        "mean": random(4, seed=1),
        "var": np.float32([1, 2, 3, 4]),
    }
    graph = check_steps(model(nodes, X, constants=constants))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    signs = np.array([1, -1, 1, 1]).reshape(4, 1)
    assert np.array_equal(layer.inputs[1].values.reshape(4, 3), w.reshape(4, 3) * signs)


@pytest.mark.parametrize("op_type", ["Add", "Mul", "Sub"])
def test_a_quantized_constant_operand_keeps_its_integers(op_type):
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("k", "kr", "ks", "kz"),
        node(op_type, ["xr", "kr"], "m"),
        quantize("m", "mq", "t", "v"),
        dequantize("mq", "y", "t", "v"),
    ]
    k = weights(3, 1, 1, dtype="uint8")
    constants = {**PARAMETERS, "v": np.int8(5), "k": k, "ks": scale_of(0.011), "kz": np.uint8(77)}
    graph = check_steps(model(nodes, X, constants=constants))
    (layer,) = [layer for layer in graph.layers() if type(layer.op).__name__ == op_type]
    assert np.array_equal(layer.inputs[1].values.reshape(-1), k.reshape(-1).astype(int) - 128)
    assert layer.inputs[1].zero_point == 77 - 128


def test_operators_behind_each_other_and_a_residual():
    constants = {
        **PARAMETERS,
        "w": weights(3, 3, 3, 3),
        "ws": scale_of(0.0103),
        "wz": np.int8(0),
        "v": np.int8(-9),
        "p": scale_of(1 / 256),
    }
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz"),
        node("Conv", ["xr", "wr"], "c", pads=[1, 1, 1, 1]),
        quantize("c", "cq", "t", "v"),
        dequantize("cq", "cr", "t", "v"),
        node("Add", ["cr", "xr"], "a"),
        node("Relu", ["a"], "r"),
        quantize("r", "rq", "t", "u"),
        dequantize("rq", "rr", "t", "u"),
        node("GlobalAveragePool", ["rr"], "g"),
        quantize("g", "gq", "t", "u"),
        dequantize("gq", "gr", "t", "u"),
        node("Sigmoid", ["gr"], "i"),
        quantize("i", "iq", "p", "u"),
        dequantize("iq", "ir", "p", "u"),
        node("Mul", ["rr", "ir"], "m"),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    graph = check_steps(model(nodes, X, constants=constants), share=0.998)
    assert not any(isinstance(n.op, FakeQuantize) for n in graph.nodes)


def test_a_model_of_integers_from_input_to_output_speaks_in_real_values():
    nodes = [
        node("Transpose", ["x"], "a", perm=[0, 2, 3, 1]),
        dequantize("a", "b"),
        node("Tanh", ["b"], "c"),
        quantize("c", "d", "t", "u"),
        node("Reshape", ["d", "shape"], "y"),
    ]
    for kind, dtype in ((TensorProto.INT8, "int8"), (TensorProto.UINT8, "uint8")):
        constants = {
            "s": scale_of(S),
            "z": np.array(3, dtype),
            "t": scale_of(0.0103),
            "u": np.array(100, dtype),
            "shape": ints(1, -1),
        }
        proto = model(nodes, X, {"y": kind}, constants)
        proto.graph.input[0].type.tensor_type.elem_type = kind
        graph = check_steps(proto)
        shift = 128 if dtype == "uint8" else 0
        assert (graph.tensors["x"].scale, graph.tensors["x"].zero_point) == (float(np.float32(S)), 3 - shift)
        assert (graph.tensors["y"].scale, graph.tensors["y"].zero_point) == (float(np.float32(0.0103)), 100 - shift)


def test_a_missing_zero_point_is_0_of_uint8():
    nodes = [node("QuantizeLinear", ["x", "s"], "q"), node("DequantizeLinear", ["q", "s"], "y")]
    graph = check_steps(model(nodes, X, constants={"s": scale_of(S)}), most=0)
    assert graph.tensors["y"].zero_point == -128


def test_q_and_dq_of_onnx_runtimes_own_domain_are_the_same():
    proto = convolution()
    for item in proto.graph.node:
        if item.op_type in ("QuantizeLinear", "DequantizeLinear"):
            item.domain = "com.microsoft"
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert quantized(proto).text() == quantized(convolution()).text()


def test_what_is_given_and_what_is_not():
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr", "ws", "wz"),
        node("Conv", ["xr", "wr"], "c", "first"),
        node("Tanh", ["c"], "t1"),
        node("Conv", ["t1", "k"], "y", "second"),
    ]
    constants = {
        **PARAMETERS,
        "w": weights(3, 3, 1, 1),
        "ws": scale_of(0.0103),
        "wz": np.int8(0),
        "k": random(2, 3, 1, 1),
    }
    found = given_quantization(optimize(imported(model(nodes, X, constants=constants))))
    assert found.weights == ("first",)
    assert found.rounded == ("second",)
    assert found.requantized == ()
    assert len(found.calibrated) == 3
    assert "x" in found.activations
    assert found.is_quantized
    assert found.needs_data


@pytest.mark.parametrize("bits", [4, 8])
def test_quantize_clip_dequantize_as_brevitas_writes_it(bits):
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    limits = {"least": np.int8(least), "narrow": np.int8(least + 1), "most": np.int8(most), "all": np.int8(127)}
    limits["none"] = np.int8(-128)
    nodes = [
        quantize("x", "xq"),
        node("Clip", ["xq", "none", "all"], "xc"),
        dequantize("xc", "xr"),
        quantize("w", "wq", "ws", "wz", axis=0),
        node("Clip", ["wq", "narrow", "most"], "wc"),
        dequantize("wc", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr"], "c"),
        quantize("c", "cq", "t", "zero"),
        node("Clip", ["cq", "least", "most"], "cc"),
        dequantize("cc", "y", "t", "zero"),
    ]
    constants = {**PARAMETERS, **limits, "zero": np.int8(0), "w": random(4, 3, 1, 1)}
    constants |= {"ws": np.float32([1.03, 2.07, 2.93, 1.11]) / 2**bits, "wz": np.zeros(4, np.int8)}
    graph = check_steps(model(nodes, X, constants=constants))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert np.abs(layer.inputs[1].values).max() <= most
    assert layer.op.output_bounds(layer.output) == (least, most)
    assert len(graph.nodes) <= 3  # with the Transposes of input and output
