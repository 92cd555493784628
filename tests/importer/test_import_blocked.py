"""Weights with a scale for each block: the file's values in floats, and its integers where channels have one scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper
from onnx_models import imported, model, node, original_outputs, random, refusal, saved
from quantized_models import dequantize
from support import beside, check_c

from mcuq.arithmetic.packing import fits
from mcuq.cli import main
from mcuq.compile import compile_model
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, LostQuant, Tensor
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import (
    NAMED,
    Recovery,
    Rounding,
    Scheme,
    given_quantization,
    insert_conversions,
    quantize_graph,
    scaled_tensors,
)
from mcuq.quantize.given_packing import block_integers

N, K, BLOCK = 6, 40, 16
MICROSOFT = "com.microsoft"


def of_microsoft(op_type: str, inputs: list[str], constants: dict[str, Array], **attributes: Any) -> onnx.ModelProto:
    layer = node(op_type, inputs, "y", "layer", domain=MICROSOFT, **attributes)
    proto = model([layer], {"x": (3, attributes["K"])}, constants=constants)
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return proto


def packed(values: Array, bits: int) -> Array:
    """uint8: the first of the last dimension's values in the lowest bits, whole bytes a row."""
    a_byte = 8 // bits
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % a_byte)])
    fields = padded.reshape(*padded.shape[:-1], -1, a_byte) << (bits * np.arange(a_byte))
    return fields.sum(axis=-1).astype(np.uint8)


def n_bits(bits: int = 4, n: int = N, k: int = K, block: int = BLOCK, *has: str) -> tuple[onnx.ModelProto, Array]:
    """A MatMulNBits and its weights (n, k), float32; `has` says what it has beyond the least."""
    rng = np.random.default_rng([bits, n, k, block, len(has)])
    blocks = -(-k // block)
    q = rng.integers(0, 1 << bits, (n, blocks, block))
    scale = rng.uniform(0.01, 0.05, (n, 1) if "rows" in has else (n, blocks)).astype(np.float32)
    scale = np.ascontiguousarray(np.broadcast_to(scale, (n, blocks)))
    if "signs" in has:
        scale = scale * rng.choice([-1, 0, 1], scale.shape).astype(np.float32)
    if "powers" in has:  # of two, so that the finest scale of a row has all integers
        scale = scale[:, :1] * np.float32(2.0) ** rng.integers(0, 3, scale.shape).astype(np.float32)
    zero: Array = np.full((n, blocks), 1 << (bits - 1))
    constants = {"B": packed(q, bits), "scales": scale}
    inputs = ["x", "B", "scales", "", "", ""]
    if "zero_points" in has:
        zero = rng.integers(0, 1 << bits, zero.shape)
        constants["z"], inputs[3] = packed(zero, bits), "z"
    if "whole" in has or "floats" in has:
        zero = rng.integers(0, 1 << bits, zero.shape) + (0.25 if "floats" in has else 0)
        constants["z"], inputs[3] = zero.astype(np.float32), "z"
    index = np.arange(k) // block
    if "g_idx" in has:
        index = rng.permutation(index)
        constants["g"], inputs[4] = index.astype(np.int32), "g"
    if "bias" in has:
        constants["b"], inputs[5] = random(n), "b"
    while not inputs[-1]:
        inputs.pop()
    weight = (q.reshape(n, -1)[:, :k] - zero[:, index]) * scale[:, index]
    proto = of_microsoft("MatMulNBits", inputs, constants, bits=bits, N=n, K=k, block_size=block)
    return proto, weight.astype(np.float32)


CODES = {  # bitsandbytes' tables
    0: [0, 5.208333333e-03, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25],
    1: [
        *(-1, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.09105004, 0),
        *(0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.562617, 0.7229568, 1),
    ],
}


def bnb4(kind: int, n: int = N, k: int = K, block: int = BLOCK) -> tuple[onnx.ModelProto, Array]:
    """A MatMulBnb4, quant_type FP4 or NF4, and its weights (n, k); each block has its largest code."""
    rng = np.random.default_rng([kind, n, k, block])
    index = rng.integers(0, 16, n * k)
    index[::block] = 15 if kind else 3
    largest = rng.uniform(0.1, 1, -(-n * k // block)).astype(np.float32)
    codes = np.float32(CODES[kind] if kind else [*CODES[0], *(-v for v in CODES[0])])
    constants = {"B": (index[::2] << 4 | index[1::2]).astype(np.uint8), "absmax": largest}
    proto = of_microsoft("MatMulBnb4", ["x", "B", "absmax"], constants, quant_type=kind, N=n, K=k, block_size=block)
    return proto, (codes[index] * largest[np.arange(n * k) // block]).reshape(n, k)


def check_floats(proto: onnx.ModelProto, weight: Array | None = None) -> None:
    """The float graph computes what ONNX Runtime does, or the product with `weight`, but for rounding."""
    x = random(3, proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value)
    want = original_outputs(proto, {"x": x})["y"] if weight is None else x @ weight.T
    got = FloatModel(write_onnx(optimize(imported(proto)))).run({"x": x})["y"]
    assert np.abs(got - want).max() <= 1e-6 * np.abs(want).max()


def came_with(proto: onnx.ModelProto) -> str:
    (what,) = given_quantization(optimize(imported(proto))).lost.values()
    return what


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("has", ["", "zero_points", "bias", "signs", "rows", "powers"])
def test_mat_mul_n_bits(bits: int, has: str) -> None:
    check_floats(n_bits(bits, N, K, BLOCK, has)[0])
    check_floats(n_bits(bits, N, 33, 32, has)[0])


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("has", ["floats", "whole", "g_idx"])
def test_mat_mul_n_bits_in_forms_that_onnx_runtime_has_not_for_all_bits(bits: int, has: str) -> None:
    """8 bits it refuses, and of 2 bits with g_idx it gives what the operator's definition does not say."""
    proto, weight = n_bits(bits, N, K, BLOCK, has)
    check_floats(proto, weight)
    if bits == 4 or (bits == 2 and has != "g_idx"):
        check_floats(proto)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize(("n", "k", "block"), [(6, 32, 16), (5, 32, 32), (3, 34, 16)])
def test_mat_mul_bnb4(kind: int, n: int, k: int, block: int) -> None:
    proto, weight = bnb4(kind, n, k, block)
    check_floats(proto)
    check_floats(proto, weight)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int4", "uint4"])
@pytest.mark.parametrize(("axis", "block"), [(0, 4), (0, 5), (1, 3)])
@pytest.mark.parametrize("signs", [(1,), (-1, 0, 1)], ids=["positive", "any sign"])
def test_dequantize_linear_in_blocks(dtype: str, axis: int, block: int, signs: tuple[int, ...]) -> None:
    rng = np.random.default_rng(block)
    low, high = {"int8": (-128, 128), "uint8": (0, 256), "int4": (-8, 8), "uint4": (0, 16)}[dtype]
    blocks = tuple(-(-size // block) if i == axis else size for i, size in enumerate((12, 6)))
    kind = getattr(TensorProto, dtype.upper())
    constants = {
        "w": helper.make_tensor("w", kind, (12, 6), rng.integers(low, high, 72)),
        "ws": (rng.uniform(0.01, 0.05, blocks) * rng.choice(signs, blocks)).astype(np.float32),
        "wz": helper.make_tensor("wz", kind, blocks, rng.integers(low, high, blocks).reshape(-1)),
    }
    nodes = [dequantize("w", "wr", "ws", "wz", axis=axis, block_size=block), node("MatMul", ["x", "wr"], "y", "layer")]
    proto = model(nodes, {"x": (3, 12)}, constants=constants, opset=21)
    check_floats(proto)
    assert came_with(proto) == "scales of blocks"


@pytest.mark.parametrize(("block", "has"), [(64, ""), (16, "rows"), (16, "powers")])
def test_one_scale_a_channel_is_kept(tmp_path: Path, block: int, has: str) -> None:
    """As one block a row has it, blocks that have the same, or such that are multiples of the finest."""
    proto, weight = n_bits(4, 16, 64, block, has)
    path = saved(proto, tmp_path)
    compiled = compile_model(path, "cortex-m4", random(20, 3, 64))
    stored = next(t for t in compiled.graph.tensors.values() if t.is_constant and len(t.shape) == 2)
    assert np.allclose(stored.values * np.array(stored.quantization.scale)[:, None], weight, rtol=1e-6, atol=1e-9)
    assert stored.packing == ("int4" if has != "powers" else None)
    assert not [note for note in compiled.origin.notes if "weights" in note]
    assert given_quantization(optimize(imported(proto))).weights == ("layer",)


def test_blocks_are_rounded_anew_and_compile_says_how_well(tmp_path: Path) -> None:
    path = saved(n_bits(4, 32, 64, 16)[0], tmp_path)
    data = random(20, 3, 64)
    (text,) = compile_model(path, "host", data).origin.notes
    assert text.startswith(
        "weights of 'layer' came with scales of blocks, and have one scale a channel here: they are rounded anew, with "
        "an SQNR of 4"
    )
    assert text.endswith(" dB against the file's; --scheme float32 keeps them")
    assert compile_model(path, "host", data, scheme=Scheme(NAMED["float32"])).origin.notes == ()


def integer_graph(proto: onnx.ModelProto, scheme: str = "int8") -> Graph:
    graph = insert_conversions(optimize(imported(proto)), Scheme(NAMED[scheme]))
    ranges = dict.fromkeys(scaled_tensors(graph), (-3.0, 3.0))
    return quantize_graph(graph, ranges, Scheme(NAMED[scheme]))


def weight_of(graph: Graph) -> Tensor:
    return next(t for t in graph.tensors.values() if t.is_constant and len(t.shape) == 2)


def sqnr_db(stored: Tensor, weight: Array) -> float:
    noise = stored.values * np.array(stored.quantization.scale)[:, None] - weight
    return float(10 * np.log10(np.square(weight).sum() / np.square(noise).sum()))


BLOCKS = [
    n_bits(4, 16, 64, 32),
    n_bits(4, 5, 96, 32, "zero_points"),
    n_bits(4, 8, 256, 128),
    n_bits(4, 6, 40, 32, "signs"),
    n_bits(4, 3, 33, 32),
    n_bits(2, 6, 64, 32, "zero_points"),
]


@pytest.mark.parametrize(("proto", "weight"), BLOCKS)
def test_blocks_of_4_bits_are_packed(proto: onnx.ModelProto, weight: Array) -> None:
    """With less of an error than int8's own rounding makes."""
    stored = weight_of(integer_graph(proto))
    assert stored.packing == "blocks"
    assert sqnr_db(stored, weight) > 43.5


def test_blocks_take_four_and_a_half_bits(tmp_path: Path) -> None:
    compiled = compile_model(saved(n_bits(4, 64, 128, 32)[0], tmp_path), "cortex-m4", random(20, 3, 128))
    (line,) = [line for line in compiled.files["net.c"].splitlines() if "_weight[" in line and " = {" in line]
    assert line.split()[2] == "int32_t"
    assert 32 * int(line.split("[")[1].split("]")[0]) == 4.5 * 64 * 128


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("scheme", ["int8", pytest.param("int16", marks=pytest.mark.slow)])
def test_c_of_blocks_gives_the_simulators_bytes(on: str, scheme: str) -> None:
    check_c(beside([integer_graph(proto, scheme) for proto, _ in BLOCKS]), on, 3)


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m55", "rv32imc"])
def test_c_of_blocks_on_other_boards(board: str) -> None:
    check_c(beside([integer_graph(proto) for proto, _ in BLOCKS]), "emulator", 2, board=board)


def test_weights_that_no_blocks_of_32_express_are_int8() -> None:
    assert weight_of(integer_graph(n_bits(4, 16, 64, 16)[0])).packing is None
    assert weight_of(integer_graph(n_bits(8, 16, 64, 32)[0])).packing is None
    assert weight_of(integer_graph(bnb4(1, 16, 64, 32)[0])).packing is None
    assert block_integers(np.ones((4, 31))) is None


@pytest.mark.parametrize("options", [{"per_channel": False}, {"power_of_two": True}])
def test_scales_that_the_user_limits_are_not_those_of_blocks(options: dict[str, bool]) -> None:
    scheme = replace(Scheme(), **options)
    graph = insert_conversions(optimize(imported(n_bits(4, 16, 64, 32)[0])), scheme)
    assert weight_of(quantize_graph(graph, dict.fromkeys("xy", (-3.0, 3.0)), scheme)).packing is None


def test_integers_of_blocks_are_as_near_as_stated() -> None:
    rng = np.random.default_rng(0)
    own = rng.integers(-8, 8, (50, 4, 32)) * rng.integers(0, 2, (50, 4, 1))
    own[0] = 0
    real = (own * rng.uniform(0.001, 1, (50, 4, 1))).reshape(50, 128)
    found = block_integers(real)
    assert found is not None
    q, scale = found
    assert np.abs(q).max() <= 127
    assert fits(q.astype(np.int8)[1], "blocks")
    largest = np.abs(own).reshape(50, 128) * (15 / np.maximum(np.ptp(own, axis=2), 1)).repeat(32, axis=1)
    assert (np.abs(q * scale[:, None] - real) <= scale[:, None] * (0.501 + largest / 30)).all()


def test_inspect_names_them(tmp_path: Path) -> None:
    for proto, what in ((n_bits()[0], "scales of blocks"), (bnb4(1)[0], "codes of NF4 and scales of blocks")):
        found = CliRunner().invoke(main, ["inspect", str(saved(proto, tmp_path))])
        assert f"    weights with {what}, rounded anew: layer\n" in found.output
        assert "rounded by mcuq" not in found.output


@pytest.mark.parametrize("scheme", ["int8", "dynamic", "codebook"])
@pytest.mark.parametrize("rounding", ["nearest", "gptq", "adaround"])
def test_codes_of_one_block_a_row_are_packed(tmp_path: Path, scheme: str, rounding: Rounding) -> None:
    """The 16 values of NF4 are 16 of int8."""
    proto, weight = bnb4(1, 16, 64, 64)
    recovery = Recovery(rounding=rounding)
    compiled = compile_model(
        saved(proto, tmp_path), "host", random(20, 3, 64), scheme=Scheme(NAMED[scheme]), recovery=recovery
    )
    stored = next(t for t in compiled.graph.tensors.values() if t.is_constant and len(t.shape) == 2)
    assert stored.packing == "codebook"
    assert np.unique(stored.values).size == 16
    found = stored.values * np.array(stored.quantization.scale)[:, None]
    assert np.abs(found - weight).max() <= 0.51 * np.abs(weight).max() / 127


def test_weights_of_16_bits_are_rounded_anew() -> None:
    w = np.arange(-100, 100, dtype=np.int16).reshape(4, 50) * 300
    nodes = [dequantize("w", "wr", "ws", "wz", axis=0), node("Gemm", ["x", "wr"], "y", "layer", transB=1)]
    constants = {"w": w, "ws": np.float32([1, 2, 3, 4]) / 10000, "wz": np.zeros(4, np.int16)}
    proto = model(nodes, {"x": (3, 50)}, constants=constants, opset=21)
    check_floats(proto)
    assert came_with(proto) == "16 bits"


def test_a_transposed_convolution_and_a_batch_norm_remember() -> None:
    w = np.random.default_rng(0).integers(-8, 8, (4, 2, 3, 3)).astype(np.int8)
    nodes = [
        dequantize("w", "wr", "ws", "wz", axis=0, block_size=2),
        node("ConvTranspose", ["x", "wr"], "c", "up", strides=[2, 2]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], "y", "norm"),
    ]
    scale = np.random.default_rng(1).uniform(0.1, 0.2, (2, 2, 3, 3)).astype(np.float32)
    ones = {name: np.float32([1, 2]) for name in ("gamma", "beta", "mean", "var")}
    constants = {"w": w, "ws": scale, "wz": np.zeros((2, 2, 3, 3), np.int8), **ones}
    graph = optimize(imported(model(nodes, {"x": (1, 4, 4, 3)}, constants=constants, opset=21)))
    quants = [t.quant for t in graph.tensors.values() if t.is_constant and t.quant is not None]
    assert [type(quant) for quant in quants] == [LostQuant]


def test_an_operand_in_blocks_is_a_number_like_any_other() -> None:
    nodes = [dequantize("w", "wr", "ws", "wz", axis=0, block_size=2), node("Mul", ["x", "wr"], "y")]
    constants = {"w": np.int8([[1, 2], [3, 4]]), "ws": np.float32([[0.1, 0.3]]), "wz": np.int8([[0, 0]])}
    proto = model(nodes, {"x": (2, 2)}, constants=constants, opset=21)
    want = original_outputs(proto, {"x": random(2, 2)})["y"]
    assert np.allclose(FloatModel(write_onnx(optimize(imported(proto)))).run({"x": random(2, 2)})["y"], want)


def refused_n_bits(replaced: dict[str, Array] | None = None, **attributes: Any) -> str:
    own = {"bits": 4, "N": 2, "K": 8, "block_size": 4, **attributes}
    constants = {
        "B": np.zeros((2, 2, 2), np.uint8),
        "scales": np.ones((2, 2), np.float32),
        "z": np.zeros((2, 1), np.uint8),
        "g": np.zeros(8, np.int32),
        **(replaced or {}),
    }
    layer = node("MatMulNBits", ["x", "B", "scales", "z", "g"], "y", "layer", domain=MICROSOFT, **own)
    proto = model([layer], {"x": (3, 8)}, constants=constants)
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return refusal(proto).removeprefix("MatMulNBits 'layer': ")


@pytest.mark.parametrize(
    ("attributes", "replaced", "text"),
    [
        ({"bits": 3}, {}, "bits=3 is not supported; use one of 2, 4, 8"),
        (
            {"weight_prepacked": 1},
            {},
            "weight_prepacked=1 is for one kind of device; export weights as the operator defines them",
        ),
        ({"block_size": 0}, {}, "K=8, N=2, block_size=0 must be positive"),
        (
            {},
            {"B": np.zeros(7, np.uint8)},
            "B has 7 elements; K, N, bits and block_size ask for 8",
        ),
        ({}, {"B": np.zeros(8, np.int8)}, "B is int8; it must be uint8"),
        ({}, {"z": np.zeros(2, np.int8)}, "zero_points is int8; it must be uint8 or float32"),
        ({}, {"g": np.full(8, 2, np.int32)}, "g_idx holds 2 to 2; blocks are 0 to 1"),
    ],
)
def test_mat_mul_n_bits_that_is_not_as_defined(attributes, replaced, text) -> None:
    assert refused_n_bits(replaced, **attributes) == text


def test_a_computed_matrix_in_blocks_is_refused() -> None:
    layer = node("MatMulNBits", ["x", "x", "s"], "y", "layer", domain=MICROSOFT, bits=4, N=2, K=8, block_size=4)
    proto = model([layer], {"x": (3, 8)}, constants={"s": np.ones(4, np.float32)})
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    assert refusal(proto) == (
        "MatMulNBits 'layer': B must be a constant; export the model with fixed weights and shapes"
    )


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"quant_type": 2}, "quant_type=2 is not supported; use 0 (FP4) or 1 (NF4)"),
        ({"transB": 0}, "transB=0 is not supported; use transB=1"),
        ({"K": 0}, "K=0, N=2, block_size=16 must be positive"),
    ],
)
def test_mat_mul_bnb4_that_is_not_as_defined(attributes: dict[str, int], text: str) -> None:
    own = {"quant_type": 1, "N": 2, "K": 8, "block_size": 16, **attributes}
    constants = {"B": np.zeros(8, np.uint8), "absmax": np.ones(1, np.float32)}
    layer = node("MatMulBnb4", ["x", "B", "absmax"], "y", "layer", domain=MICROSOFT, **own)
    proto = model([layer], {"x": (3, 8)}, constants=constants)
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    assert refusal(proto) == f"MatMulBnb4 'layer': {text}"


def blocked(ws: Array, wz: Array, **attributes: int) -> str:
    nodes = [dequantize("w", "wr", "ws", "wz", **attributes), node("MatMul", ["x", "wr"], "y")]
    constants = {"w": np.ones((4, 2), np.int8), "ws": ws, "wz": wz}
    return refusal(model(nodes, {"x": (3, 4)}, constants=constants, opset=21)).removeprefix(
        "DequantizeLinear 'dequantize w': "
    )


def test_blocks_that_do_not_fit_are_refused() -> None:
    two = np.ones((2, 2), np.float32)
    assert blocked(two, np.zeros((2, 2), np.int8), axis=0, block_size=4) == (
        "block_size=4 along axis 0 of [4, 2] does not fit scale and zero_point of shapes [2, 2] and [2, 2]"
    )
    assert blocked(two * np.float32([[1, np.inf]]), np.zeros((2, 2), np.int8), axis=0, block_size=2) == (
        "scale[0, 1] is inf; it must be finite"
    )
    assert blocked(two.astype(np.float16), np.zeros((2, 2), np.int8), axis=0, block_size=2) == (
        "scale is float16; supported is float32"
    )


def test_a_computed_tensor_in_blocks_is_refused() -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "q", "quantize", axis=1, block_size=2),
        node("DequantizeLinear", ["q", "s", "z"], "y", axis=1, block_size=2),
    ]
    constants = {"s": np.ones((3, 2), np.float32), "z": np.zeros((3, 2), np.int8)}
    assert refusal(model(nodes, {"x": (3, 4)}, constants=constants, opset=21)) == (
        "QuantizeLinear 'quantize': block_size=2 is not supported; use one scale a tensor, or one a channel"
    )
