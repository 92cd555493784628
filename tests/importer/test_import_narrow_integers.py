"""Weights of 4 and 2 bits: the file's integers, packed in flash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import imported, model, node, random, refusal, saved
from quantized_models import check_steps, dequantize, quantize, scale_of
from support import beside, check_c

from mcuq.compile import compile_model
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, insert_conversions, quantize_graph
from mcuq.quantize.given_packing import LEAST_SAVED_BYTES, with_least_bits
from mcuq.quantize.numbers import WEIGHTS

OPSET = 25  # the first with int2
X = {"x": (1, 8, 6, 5)}
PARAMETERS = {"s": scale_of(0.0513), "z": np.int8(3), "t": scale_of(0.0971), "u": np.int8(-10)}
LIMITS = {"int8": (-128, 127), "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def tensor(name: str, dtype: str, values: Array) -> onnx.TensorProto:
    return helper.make_tensor(name, getattr(TensorProto, dtype.upper()), values.shape, values.reshape(-1).tolist())


def integers(dtype: str, shape: tuple[int, ...]) -> Array:
    low, high = LIMITS[dtype]
    return np.random.default_rng([high, *shape]).integers(low, high, shape, endpoint=True)


def quantized_around(nodes: list[onnx.NodeProto], x: dict[str, tuple[int, ...]] = X, **constants) -> onnx.ModelProto:
    """A model whose `nodes` take `xr` to `c`, both of int8."""
    around = [quantize("x", "xq"), dequantize("xq", "xr"), *nodes, quantize("c", "cq", "t", "u")]
    around.append(dequantize("cq", "y", "t", "u"))
    return model(around, x, constants={**PARAMETERS, **constants}, opset=OPSET)


def convolution(dtype: str, zero: list[int], per_channel: bool = True, channels: int = 8) -> onnx.ModelProto:
    """`zero`: zero points of output channels, in turn."""
    shape: tuple[int, ...] = (channels,) if per_channel else ()
    scale = np.random.default_rng(channels).uniform(0.01, 0.03, shape).astype(np.float32)
    weight = [
        dequantize("w", "wr", "ws", "wz", **({"axis": 0} if per_channel else {})),
        node("Conv", ["xr", "wr"], "c", pads=[1, 1, 1, 1]),
    ]
    w = tensor("w", dtype, integers(dtype, (channels, 8, 3, 3)))
    return quantized_around(weight, w=w, ws=scale, wz=tensor("wz", dtype, np.resize(zero, shape)))


def weighted(graph: Graph) -> Layer:
    (found,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    return found


FORMS = [
    ("int4", [0], "int4"),
    ("uint4", [8], "int4"),
    ("uint4", [7], "codebook"),
    ("uint4", [7, 3, 8], "codebook"),
    ("int4", [1, -2], "codebook"),
    ("int2", [0], "int2"),
    ("uint2", [2], "int2"),
    ("uint2", [1, 2], "int4"),
]


@pytest.mark.parametrize(("dtype", "zero", "packing"), FORMS)
@pytest.mark.parametrize("per_channel", [True, False])
def test_integers_are_those_of_the_file_in_the_packing_that_holds_them(dtype, zero, packing, per_channel) -> None:
    zero = zero if per_channel else zero[:1]
    found = weighted(check_steps(convolution(dtype, zero, per_channel))).inputs[1]
    stored = integers(dtype, (8, 8, 3, 3)) - np.resize(zero, 8).reshape(8, 1, 1, 1)
    assert np.array_equal(found.values, stored.transpose(0, 2, 3, 1))
    assert found.packing == packing


@pytest.mark.parametrize("transposed", [0, 1])
def test_matrices_of_4_bits(transposed: int) -> None:
    w = integers("int4", (16, 24) if transposed else (24, 16))
    nodes = [
        dequantize("w", "wr", "ws", "wz", axis=1 - transposed),
        node("Gemm", ["xr", "wr"], "c", transB=transposed),
    ]
    constants = {"w": tensor("w", "int4", w), "ws": np.linspace(0.01, 0.03, 16).astype(np.float32)}
    zero = tensor("wz", "int4", np.zeros(16, int))
    layer = weighted(check_steps(quantized_around(nodes, {"x": (2, 24)}, wz=zero, **constants)))
    assert np.array_equal(layer.inputs[1].values, w if transposed else w.T)
    assert layer.inputs[1].packing == "int4"


def test_floats_that_the_file_quantizes_to_4_bits() -> None:
    """As training exports them: halves go to even, and what is beyond is limited."""
    w = np.array([[0.5, 1.5, -2.5, 40, -40], [7.49, 7.5, -8.5, -8.51, 0], [1, 2, 3, 4, -1e9]]).repeat(32, axis=1)
    nodes = [
        quantize("w", "wq", "ws", "wz", axis=0),
        dequantize("wq", "wr", "ws", "wz", axis=0),
        node("Gemm", ["xr", "wr"], "c", transB=1),
    ]
    scale = np.float32([0.25, 0.5, 0.125])
    proto = quantized_around(
        nodes,
        {"x": (1, 160)},
        w=(w * scale[:, None]).astype(np.float32),
        ws=scale,
        wz=tensor("wz", "int4", np.zeros(3, int)),
    )
    layer = weighted(check_steps(proto))
    want = [[0, 2, -2, 7, -8], [7, 7, -8, -8, 0], [1, 2, 3, 4, -8]]
    assert layer.inputs[1].values[:, ::32].tolist() == want
    assert layer.inputs[1].packing == "int4"


def test_int8_that_brevitas_clips_to_4_bits_is_packed() -> None:
    limits = {"narrow": np.int8(-7), "most": np.int8(7)}
    nodes = [
        quantize("w", "wq", "ws", "wz", axis=0),
        node("Clip", ["wq", "narrow", "most"], "wc"),
        dequantize("wc", "wr", "ws", "wz", axis=0),
        node("Conv", ["xr", "wr"], "c"),
    ]
    constants = {"w": random(8, 8, 3, 3), "ws": np.linspace(0.1, 0.2, 8).astype(np.float32), "wz": np.zeros(8, np.int8)}
    layer = weighted(check_steps(quantized_around(nodes, **limits, **constants)))
    assert layer.inputs[1].packing == "int4"
    assert np.array_equal(np.unique(layer.inputs[1].values), np.arange(-7, 8))


@pytest.mark.parametrize(("dtype", "zero"), [("int4", 0), ("int4", -8), ("uint4", 3), ("int2", 0), ("uint2", 3)])
@pytest.mark.parametrize("stated", [False, True])
def test_activations_of_few_bits_have_their_limits(dtype: str, zero: int, stated: bool) -> None:
    if stated:  # by attribute, the zero point left out: 0
        kind = getattr(TensorProto, dtype.upper())
        nodes = [
            node("QuantizeLinear", ["x", "s"], "q", output_dtype=kind),
            node("DequantizeLinear", ["q", "s"], "y"),
        ]
        constants = {"s": scale_of(0.5)}
    else:
        nodes = [quantize("x", "q"), dequantize("q", "y")]
        constants = {"s": scale_of(0.5), "z": tensor("z", dtype, np.array(zero))}
    graph = check_steps(model(nodes, {"x": (1, 400)}, constants=constants, opset=OPSET), most=0)
    (layer,) = graph.layers()
    low, high = LIMITS[dtype]
    middle = -128 if dtype.startswith("u") else 0
    assert layer.output.zero_point == middle + (0 if stated else zero)
    codes = np.resize(np.arange(-128, 128), (1, 1, 400)).astype(np.int8)
    found = layer.op.simulate(layer, [codes])
    assert (found.min(), found.max()) == (low + middle, high + middle)


@pytest.mark.parametrize("name", ["int16", "dynamic", "int4", "float32"])
def test_other_schemes_keep_them_too(tmp_path: Path, name: str) -> None:
    path = saved(convolution("int4", [0], channels=32), tmp_path)
    compiled = compile_model(path, "cortex-m4", scheme=Scheme(NAMED[name]))
    weight = weighted(compiled.graph).inputs[1]
    assert weight.packing == (None if name == "float32" else "int4")
    assert not [note for note in compiled.origin.notes if "weights" in note]


def test_what_cannot_be_kept_in_fewer_bits_is_named(tmp_path: Path) -> None:
    path = saved(convolution("int4", [0]), tmp_path)
    assert compile_model(path, "host", scheme=Scheme(NAMED["int2"])).origin.notes == (
        "weights of 'c' came quantized and stay as they are; quantize the float model to have int2",
    )


def array_bytes(proto: onnx.ModelProto, tmp_path: Path) -> int:
    """Bytes of the weights' array in the C."""
    compiled = compile_model(saved(proto, tmp_path), "cortex-m4")
    (line,) = [line for line in compiled.files["net.c"].splitlines() if "_weight[" in line and " = {" in line]
    bits = {"int8_t": 8, "int32_t": 32}[line.split()[2]]
    return int(line.split("[")[1].split("]")[0]) * bits // 8


def test_half_the_flash_of_8_bits(tmp_path: Path) -> None:
    whole = array_bytes(convolution("int8", [0], channels=32), tmp_path)
    assert whole == 32 * 72
    assert array_bytes(convolution("int4", [0], channels=32), tmp_path) == whole // 2
    assert array_bytes(convolution("int2", [0], channels=32), tmp_path) == whole // 4
    assert (
        array_bytes(convolution("uint4", [7], channels=32), tmp_path) == whole // 2 + 3 * 16
    )  # and each block's codebook


def test_packing_has_to_save_some_flash() -> None:
    def packing(rows: Array) -> str | None:
        layer = weighted(check_steps(convolution("int4", [0])))
        x, weight, bias = layer.inputs
        return with_least_bits((x, type(weight)("w", rows.shape, "int8", rows), bias))[1].packing

    most = 2 * LEAST_SAVED_BYTES
    assert packing(np.resize([-8, 7], (1, most)).astype(np.int8)) == "int4"
    assert packing(np.resize([-8, 7], (1, most - 8)).astype(np.int8)) is None
    assert packing(np.resize([-1, 1], (1, most)).astype(np.int8)) == "binary"
    assert packing(np.resize([-1, 0, 1], (1, most)).astype(np.int8)) == "ternary"
    assert packing(np.resize([100, -3, 50], (1, 2 * most)).astype(np.int8)) == "codebook"
    # Of a channel that is mostly zeros a few integers are chance.
    sparse = np.zeros((20, 64), np.int8)
    sparse[:, ::8] = np.arange(-80, 80).reshape(20, 8)
    assert packing(sparse) is None


def test_which_weights_a_scheme_keeps() -> None:
    four = np.resize(np.arange(-8, 8), (2, 32)).astype(float)
    assert WEIGHTS["int4"].keeps(four)
    assert WEIGHTS["codebook"].keeps(four * 7)
    assert WEIGHTS["float16"].keeps(four * 7)
    assert WEIGHTS["int8"].keeps(four * 7)
    assert not WEIGHTS["int4"].keeps(four + 1)
    assert not WEIGHTS["codebook"].keeps(np.arange(34.0).reshape(2, 17))


def layers_of(dtype: str, zero: list[int]) -> list[onnx.ModelProto]:
    """A matrix product, and convolutions: plain, depthwise, transposed."""

    def layer(op_type: str, shape: tuple[int, ...], axis: int, x: tuple[int, ...], **attributes: object):
        count = shape[axis]
        scale = np.linspace(0.01, 0.03, count).astype(np.float32)
        nodes = [dequantize("w", "wr", "ws", "wz", axis=axis), node(op_type, ["xr", "wr"], "c", **attributes)]
        constants = {"w": tensor("w", dtype, integers(dtype, shape)), "ws": scale}
        return quantized_around(nodes, {"x": x}, wz=tensor("wz", dtype, np.resize(zero, count)), **constants)

    return [
        convolution(dtype, zero),
        layer("MatMul", (40, 16), 1, (3, 40)),
        layer("Conv", (32, 1, 3, 3), 0, (1, 32, 6, 5), group=32, pads=[1, 1, 1, 1]),
        layer("ConvTranspose", (8, 6, 3, 3), 1, (1, 8, 4, 4), strides=[2, 2]),
    ]


def quantized_in(proto: onnx.ModelProto, scheme: str) -> Graph:
    graph = insert_conversions(optimize(imported(proto)), Scheme(NAMED[scheme]))
    return quantize_graph(graph, {}, Scheme(NAMED[scheme]))


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bytes(on: str) -> None:
    forms = [layers_of("int4", [0])[1], layers_of("uint4", [7, 3, 8])[0], layers_of("int2", [0])[2]]
    check_c(beside([quantized_in(proto, "int8") for proto in forms]), on)


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_of_each_layer_gives_the_simulators_bytes(scheme: str, board: str) -> None:
    graphs = [quantized_in(proto, scheme) for dtype, zero, _ in FORMS[3:] for proto in layers_of(dtype, zero)]
    check_c(beside(graphs), "emulator", 2, board=board)


def test_integers_of_4_bits_as_inputs_are_refused() -> None:
    proto = model([node("DequantizeLinear", ["x", "s"], "y")], X, constants={"s": scale_of(1)}, opset=OPSET)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT2
    assert refusal(proto) == "net.onnx: tensor 'x' is uint2; sub-byte tensors are not supported, use float32"


@pytest.mark.parametrize("place", ["weight", "Constant"])
def test_damaged_integers_of_4_bits_are_refused(place: str) -> None:
    stored = TensorProto(name="w", data_type=TensorProto.INT4, dims=[2])
    nodes = [node("Constant", [], "w", value=stored)] if place == "Constant" else []
    nodes += [node("DequantizeLinear", ["w", "s"], "wr"), node("Mul", ["x", "wr"], "y")]
    constants = {"s": scale_of(1)} | ({"w": stored} if place == "weight" else {})
    assert refusal(model(nodes, {"x": (1, 2)}, constants=constants, opset=OPSET)) == (
        f"{place} 'w': is damaged: its data do not make int4 of shape [2]; export the model again"
    )
