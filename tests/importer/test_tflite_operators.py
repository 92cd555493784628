"""Each operator of a TensorFlow Lite file gives what TensorFlow Lite's own interpreter gives for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import original_outputs
from tflite_models import FAST, PLAIN, Node, T, constant, interpret, write

import mcuq
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, run_layers
from mcuq.graph.tensor import Array, Quant
from mcuq.importer import import_model
from mcuq.importer.tflite import onnx_of
from mcuq.importer.tflite.operators import OPERATORS
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, insert_conversions, quantize_graph

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)


def numbers(*shape: int, low: float = -1.0, high: float = 1.0) -> T:
    """Constant values that look random and are the same in every run."""
    seed = [*shape, len(shape)]
    return constant(np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32))


def ints(*values: Any) -> T:
    return constant(np.array(values, np.int32))


@dataclass(frozen=True)
class Case:
    """One operator: its inputs are `x`, of this shape, and what `others` has; `y` are the shapes of its outputs."""

    kind: str
    x: Sequence[int]
    y: Sequence[int] | Sequence[Sequence[int]]
    others: Mapping[str, T] = field(default_factory=dict)
    order: Sequence[str] = ()
    table: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    low: float = -4.0
    high: float = 4.0
    computed: int = 1  # how many inputs are given at run time, each of shape x
    type: str = "float32"  # of the outputs

    @property
    def shapes(self) -> list[Sequence[int]]:
        y = self.y
        return [s for s in y if not isinstance(s, int)] if y and not isinstance(y[0], int) else [y]  # type: ignore[list-item]

    def file(self) -> bytes:
        given = ["x", "x2"][: self.computed]
        outputs = ["y", *(f"y{i}" for i in range(2, len(self.shapes) + 1))]
        tensors = {**{name: T(self.x) for name in given}, **self.others}
        tensors.update({name: T(shape, self.type) for name, shape in zip(outputs, self.shapes, strict=True)})
        order = self.order or [*given, *self.others]
        return write(tensors, [Node(self.kind, order, outputs, self.table, self.options)], given, outputs)


def conv(shape: Sequence[int], weight: Sequence[int], y: Sequence[int], **options: Any) -> Case:
    others = {"w": numbers(*weight), "b": numbers(weight[0])}
    return Case("CONV_2D", shape, y, others, table="Conv2DOptions", options={"strideH": 1, "strideW": 1, **options})


def depthwise(shape: Sequence[int], weight: Sequence[int], y: Sequence[int], **options: Any) -> Case:
    others = {"w": numbers(*weight), "b": numbers(weight[3])}
    fields = {"strideH": 1, "strideW": 1, "depthMultiplier": weight[3] // shape[3], **options}
    return Case("DEPTHWISE_CONV_2D", shape, y, others, table="DepthwiseConv2DOptions", options=fields)


def transposed(shape: Sequence[int], weight: Sequence[int], y: Sequence[int], bias: bool, **options: Any) -> Case:
    others = {"s": ints(*y), "w": numbers(*weight), **({"b": numbers(weight[0])} if bias else {})}
    order = ["s", "w", "x", *(["b"] if bias else [])]
    return Case("TRANSPOSE_CONV", shape, y, others, order, "TransposeConvOptions", options)


def dense(shape: Sequence[int], weight: Sequence[int], y: Sequence[int], bias: bool = True, **options: Any) -> Case:
    others = {"w": numbers(*weight), **({"b": numbers(weight[0])} if bias else {})}
    order = ["x", "w", "b" if bias else ""]
    return Case("FULLY_CONNECTED", shape, y, others, order, "FullyConnectedOptions", options)


def pool(kind: str, shape: Sequence[int], y: Sequence[int], height: int, width: int, **options: Any) -> Case:
    fields = {"filterHeight": height, "filterWidth": width, "strideH": 1, "strideW": 1, **options}
    return Case(kind, shape, y, table="Pool2DOptions", options=fields)


def unary(kind: str, table: str = "", low: float = -4.0, high: float = 4.0, **options: Any) -> Case:
    return Case(kind, (2, 3, 5), (2, 3, 5), table=table, options=options, low=low, high=high)


def pair(kind: str, table: str = "", activation: int = NONE, **limits: float) -> Case:
    """Of two computed tensors."""
    options = {"fusedActivationFunction": activation} if activation else {}
    return Case(kind, (1, 4, 5, 3), (1, 4, 5, 3), table=table, options=options, computed=2, **limits)


def with_constant(kind: str, other: Sequence[int], table: str = "", swapped: bool = False, **limits: float) -> Case:
    order = ["c", "x"] if swapped else ["x", "c"]
    others = {"c": numbers(*other, low=0.5, high=2.0)}
    return Case(kind, (1, 4, 5, 3), (1, 4, 5, 3), others, order, table, **limits)


def reduced(kind: str, axes: Sequence[int], y: Sequence[int], keep: bool, **limits: float) -> Case:
    return Case(kind, (2, 3, 4, 5), y, {"a": ints(*axes)}, table="ReducerOptions", options={"keepDims": keep}, **limits)


def sliced(begin: Sequence[int], end: Sequence[int], strides: Sequence[int], y: Sequence[int], **masks: int) -> Case:
    others = {"b": ints(*begin), "e": ints(*end), "s": ints(*strides)}
    return Case("STRIDED_SLICE", (3, 4, 5), y, others, table="StridedSliceOptions", options=masks)


def resized(kind: str, size: Sequence[int], **options: bool) -> Case:
    table = {"RESIZE_BILINEAR": "ResizeBilinearOptions", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions"}
    return Case(kind, (1, 3, 4, 2), (1, *size, 2), {"s": ints(*size)}, table=table[kind], options=options)


CASES: Mapping[str, Case] = {
    "conv, same": conv((1, 7, 6, 3), (4, 3, 2, 3), (1, 7, 6, 4), padding=SAME),
    "conv, valid": conv((1, 7, 6, 3), (4, 3, 2, 3), (1, 5, 5, 4), padding=VALID, fusedActivationFunction=RELU6),
    "conv, same, strides": conv((1, 7, 6, 3), (4, 3, 2, 3), (1, 4, 2, 4), padding=SAME, strideH=2, strideW=3),
    "conv, even size, stride 2": conv((1, 8, 8, 2), (3, 3, 3, 2), (1, 4, 4, 3), padding=SAME, strideH=2, strideW=2),
    "conv, stride beyond the kernel": conv(
        (1, 9, 9, 2), (3, 1, 2, 2), (1, 3, 3, 3), padding=SAME, strideH=3, strideW=3
    ),
    "conv, dilated": conv((1, 9, 9, 2), (3, 3, 3, 2), (1, 9, 9, 3), padding=SAME, dilationHFactor=2, dilationWFactor=3),
    "conv, groups": conv((1, 5, 5, 4), (6, 3, 3, 2), (1, 3, 3, 6), padding=VALID, fusedActivationFunction=RELU),
    "depthwise": depthwise((1, 7, 6, 3), (1, 3, 3, 3), (1, 4, 3, 3), padding=SAME, strideH=2, strideW=2),
    "depthwise, multiplier": depthwise(
        (1, 7, 6, 3), (1, 3, 2, 6), (1, 5, 5, 6), padding=VALID, fusedActivationFunction=RELU_N1_TO_1
    ),
    "transpose conv": transposed((1, 3, 4, 3), (2, 2, 2, 3), (1, 6, 8, 2), False, padding=VALID, strideH=2, strideW=2),
    "transpose conv, bias": transposed(
        (1, 3, 4, 3), (2, 2, 2, 3), (1, 6, 8, 2), True, padding=SAME, strideH=2, strideW=2
    ),
    "dense": dense((2, 7), (4, 7), (2, 4), fusedActivationFunction=RELU),
    "dense, no bias": dense((2, 7), (4, 7), (2, 4), bias=False),
    "dense, of images": dense((2, 2, 3, 2), (5, 12), (2, 5)),
    "dense, dimensions kept": dense((2, 2, 3, 6), (5, 6), (2, 2, 3, 5), keepNumDims=True),
    "average pool": pool("AVERAGE_POOL_2D", (1, 7, 6, 3), (1, 4, 3, 3), 3, 3, padding=SAME, strideH=2, strideW=2),
    "average pool, valid": pool("AVERAGE_POOL_2D", (1, 7, 6, 3), (1, 6, 4, 3), 2, 3, padding=VALID),
    "max pool": pool("MAX_POOL_2D", (1, 7, 6, 3), (1, 4, 2, 3), 2, 3, padding=SAME, strideH=2, strideW=3),
    "max pool, activation": pool(
        "MAX_POOL_2D", (1, 7, 6, 3), (1, 6, 5, 3), 2, 2, padding=VALID, fusedActivationFunction=RELU_N1_TO_1
    ),
    **{kind.lower(): unary(kind) for kind in ("ABS", "CEIL", "COS", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "NEG")},
    **{kind.lower(): unary(kind) for kind in ("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "SIGN", "SIN", "TANH")},
    **{kind.lower(): unary(kind) for kind in ("ELU", "ROUND", "SQUARE")},
    **{kind.lower(): unary(kind, low=0.1) for kind in ("LOG", "RSQRT", "SQRT")},
    "gelu": unary("GELU", "GeluOptions"),
    "gelu, approximate": unary("GELU", "GeluOptions", approximate=True),
    "l2 normalization": Case("L2_NORMALIZATION", (1, 3, 4, 5), (1, 3, 4, 5), table="L2NormOptions"),
    "leaky relu": unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.2),
    "log softmax": unary("LOG_SOFTMAX", "LogSoftmaxOptions"),
    "softmax": unary("SOFTMAX", "SoftmaxOptions", beta=1.0),
    "softmax, beta": unary("SOFTMAX", "SoftmaxOptions", beta=0.5),
    "add": pair("ADD", "AddOptions"),
    "add, activation": pair("ADD", "AddOptions", RELU6),
    "add, constant": with_constant("ADD", (3,), "AddOptions"),
    "add n": Case("ADD_N", (2, 3), (2, 3), table="AddNOptions", computed=2),
    "sub": pair("SUB", "SubOptions", RELU),
    "sub from a constant": with_constant("SUB", (1, 1, 1, 3), "SubOptions", swapped=True),
    "mul": pair("MUL", "MulOptions"),
    "mul by a constant": with_constant("MUL", (4, 1, 3), "MulOptions"),
    "div": pair("DIV", "DivOptions", low=0.5),
    "div by a constant": with_constant("DIV", (1,), "DivOptions"),
    "maximum": pair("MAXIMUM", "MaximumMinimumOptions"),
    "minimum": with_constant("MINIMUM", (3,), "MaximumMinimumOptions"),
    "squared difference": pair("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
    "floor div": with_constant("FLOOR_DIV", (1,), "FloorDivOptions"),
    "pow": Case("POW", (2, 3), (2, 3), {"c": constant(np.float32(3.0))}, table="PowOptions"),
    "prelu": Case("PRELU", (1, 4, 5, 3), (1, 4, 5, 3), {"c": numbers(1, 1, 3)}),
    "mean": reduced("MEAN", (1, 2), (2, 5), False),
    "mean, dimensions kept": reduced("MEAN", (-1, 1), (2, 1, 4, 1), True),
    "sum": reduced("SUM", (3,), (2, 3, 4), False),
    "reduce max": reduced("REDUCE_MAX", (1, 2), (2, 1, 1, 5), True),
    "reshape": Case("RESHAPE", (2, 6), (3, 4), {"s": ints(3, -1)}, table="ReshapeOptions"),
    "reshape to a scalar and back": Case("RESHAPE", (1, 1), (), {"s": ints()}, table="ReshapeOptions"),
    "reshape by options": Case("RESHAPE", (2, 6), (4, 3), table="ReshapeOptions", options={"newShape": [4, 3]}),
    "squeeze": Case("SQUEEZE", (1, 3, 1, 2), (1, 3, 2), table="SqueezeOptions", options={"squeezeDims": [-2]}),
    "squeeze all": Case("SQUEEZE", (1, 3, 1, 2), (3, 2), table="SqueezeOptions"),
    "expand dims": Case("EXPAND_DIMS", (3, 2), (3, 1, 2), {"a": constant(np.int32(1))}, table="ExpandDimsOptions"),
    "transpose": Case("TRANSPOSE", (2, 3, 4), (4, 2, 3), {"p": ints(2, 0, 1)}, table="TransposeOptions"),
    "concatenation": Case(
        "CONCATENATION", (2, 3), (2, 6), table="ConcatenationOptions", options={"axis": -1}, computed=2
    ),
    "pack": Case("PACK", (2, 3), (2, 2, 3), table="PackOptions", options={"axis": 1, "valuesCount": 2}, computed=2),
    "unpack": Case("UNPACK", (2, 3), ((2,), (2,), (2,)), table="UnpackOptions", options={"axis": 1, "num": 3}),
    "split": Case(
        "SPLIT", (4, 6), ((4, 3), (4, 3)), {"a": constant(np.int32(1))}, ("a", "x"), "SplitOptions", {"numSplits": 2}
    ),
    "split v": Case(
        "SPLIT_V",
        (4, 6),
        ((4, 1), (4, 5)),
        {"n": ints(1, -1), "a": constant(np.int32(-1))},
        table="SplitVOptions",
        options={"numSplits": 2},
    ),
    "slice": Case("SLICE", (3, 4, 5), (2, 4, 2), {"b": ints(1, 0, 2), "n": ints(2, -1, 2)}, table="SliceOptions"),
    "strided slice": sliced((0, 1, 4), (3, 4, 0), (1, 2, -2), (3, 2, 2)),
    "strided slice, masks": sliced((1, 1, 1), (2, 2, 2), (1, 1, -1), (2, 2, 5), beginMask=0b110, endMask=0b101),
    "strided slice, dropped": sliced((-1, 0, 0), (0, 9, -1), (1, 1, 1), (4, 4), shrinkAxisMask=0b1),
    "strided slice, dropped behind": sliced((0, 2), (3, 9), (2, 1), (2, 5), shrinkAxisMask=0b10),
    "reverse": Case("REVERSE_V2", (3, 4), (3, 4), {"a": ints(1)}, table="ReverseV2Options"),
    "pad": Case("PAD", (2, 3), (3, 5), {"p": ints((1, 0), (0, 2))}, table="PadOptions"),
    "pad v2": Case(
        "PADV2", (2, 3), (3, 5), {"p": ints((1, 0), (0, 2)), "v": constant(np.float32(1.5))}, table="PadV2Options"
    ),
    "mirror pad": Case(
        "MIRROR_PAD", (3, 4), (5, 7), {"p": ints((1, 1), (2, 1))}, table="MirrorPadOptions", options={"mode": 0}
    ),
    "gather": Case("GATHER", (3, 4), (3, 2), {"i": ints(3, 0)}, table="GatherOptions", options={"axis": 1}),
    "tile": Case("TILE", (2, 3), (4, 9), {"n": ints(2, 3)}, table="TileOptions"),
    "broadcast": Case("BROADCAST_TO", (2, 1), (2, 3), {"s": ints(2, 3)}, table="BroadcastToOptions"),
    "depth to space": Case(
        "DEPTH_TO_SPACE", (1, 2, 3, 8), (1, 4, 6, 2), table="DepthToSpaceOptions", options={"blockSize": 2}
    ),
    "space to depth": Case(
        "SPACE_TO_DEPTH", (1, 4, 6, 2), (1, 2, 3, 8), table="SpaceToDepthOptions", options={"blockSize": 2}
    ),
    "nearest": resized("RESIZE_NEAREST_NEIGHBOR", (6, 8)),
    "nearest, half pixels": resized("RESIZE_NEAREST_NEIGHBOR", (6, 8), halfPixelCenters=True),
    "batch matmul": Case("BATCH_MATMUL", (2, 3, 3), (2, 3, 3), table="BatchMatMulOptions", computed=2),
    "batch matmul, exchanged": Case(
        "BATCH_MATMUL",
        (2, 3, 3),
        (2, 3, 3),
        table="BatchMatMulOptions",
        options={"adjX": True, "adjY": True},
        computed=2,
    ),
    "reduce min": reduced("REDUCE_MIN", (1, 2), (2, 5), False),
    "reduce prod": reduced("REDUCE_PROD", (1,), (2, 1, 4, 5), True),
    "bilinear": resized("RESIZE_BILINEAR", (6, 7)),
    "bilinear, half pixels": resized("RESIZE_BILINEAR", (6, 7), halfPixelCenters=True),
    "bilinear, aligned": resized("RESIZE_BILINEAR", (6, 7), alignCorners=True),
    "nearest, aligned": resized("RESIZE_NEAREST_NEIGHBOR", (5, 7), alignCorners=True),
    "nearest, odd": resized("RESIZE_NEAREST_NEIGHBOR", (4, 7)),
}


def given(case: Case, count: int = 3) -> dict[str, Array]:
    rng = np.random.default_rng(len(case.kind))
    names = ["x", "x2"][: case.computed]
    return {name: rng.uniform(case.low, case.high, (count, *case.x)).astype(np.float32) for name in names}


@pytest.mark.parametrize("name", CASES)
def test_float_operator(name: str) -> None:
    case = CASES[name]
    file, samples = case.file(), given(case)
    graph = optimize(import_model(file)[0])
    wanted = interpret(file, samples, FAST)
    runtime = FloatModel(write_onnx(graph))
    assert list(graph.inputs) == list(samples)
    assert list(graph.outputs) == list(wanted)
    for index in range(3):
        got = runtime.run({key: value[index] for key, value in samples.items()})
        for key, value in wanted.items():
            np.testing.assert_allclose(got[key].reshape(value[index].shape), value[index], rtol=1e-5, atol=1e-5)


# Operators whose output has their input's quantization, and those whose output has one of its own.
MOVES = frozenset(
    {
        "AVERAGE_POOL_2D",
        "BROADCAST_TO",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MINIMUM",
        "MIRROR_PAD",
        "PACK",
        "PAD",
        "PADV2",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RESIZE_BILINEAR",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SLICE",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TRANSPOSE",
        "UNPACK",
    }
)
FIXED = {
    "L2_NORMALIZATION": (1 / 128, 0),
    "LOGISTIC": (1 / 256, -128),
    "LOG_SOFTMAX": (16 / 256, 127),
    "SOFTMAX": (1 / 256, -128),
    "TANH": (1 / 128, 0),
}
# Left out are those of which the interpreter has no int8 kernels, NEG, whose kernel takes the integers as they are, and
# SQUARED_DIFFERENCE, whose difference has no scale in the file, so that it is found in calibration data.
NOT_INT8 = frozenset(
    {
        "ADD_N",
        "CEIL",
        "COS",
        "DIV",
        "FLOOR",
        "FLOOR_DIV",
        "NEG",
        "POW",
        "ROUND",
        "SIGN",
        "SIN",
        "SQUARE",
        "SQUARED_DIFFERENCE",
    }
)
QUANTIZED = [name for name, case in CASES.items() if case.kind not in NOT_INT8]


@dataclass(frozen=True)
class Grid:
    """Activations of a type: FIXED quantizations of outputs, and those of other tensors by their range."""

    type: str
    fixed: Mapping[str, tuple[float, int]]
    bias: str

    def of(self, low: float, high: float) -> tuple[float, int]:
        """(scale, zero point), as TensorFlow's converter chooses them: of 16 bits they are about 0."""
        if self.type == "int16":
            return float(np.float32(max(-low, high) / 32767)), 0
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / 255))
        return scale, int(np.clip(round(-128 - low / scale), -128, 127))

    def constant(self, case: Case, name: str, x: tuple[float, int]) -> T:
        """Weights of int8, a scale an output; a bias of their scales; others of the grid."""
        other = case.others[name]
        assert other.data is not None
        if other.data.dtype != np.float32:
            return other
        if name == "w":
            axis = 3 if case.kind == "DEPTHWISE_CONV_2D" else 0
            others = tuple(a for a in range(other.data.ndim) if a != axis)
            scale = np.abs(other.data).max(axis=others, keepdims=True) / 127
            values = np.rint(other.data / scale).astype(np.int8)
            return constant(values, scale=scale.reshape(-1).astype(np.float32).tolist(), zero_point=0, axis=axis)
        if name == "b":
            scale = np.float32(x[0]) * np.asarray(self.constant(case, "w", x).scale, np.float32)
            return constant(np.rint(other.data / scale).astype(self.bias), scale=scale.tolist())
        one, zero_point = x if case.kind in MOVES else self.of(float(other.data.min()), float(other.data.max()))
        info = np.iinfo(self.type)
        values = np.clip(np.rint(other.data / one) + zero_point, info.min, info.max).astype(self.type)
        return constant(values, scale=one, zero_point=zero_point)


INT8 = Grid("int8", FIXED, "int32")
INT16 = Grid("int16", dict.fromkeys(("LOGISTIC", "SOFTMAX", "TANH"), (1 / 32768, 0)), "int64")


def quantized(case: Case, grid: Grid = INT8) -> tuple[bytes, dict[str, Array]]:
    """The case in integers, with scales as its float values ask for them, and samples with both extremes."""
    wanted = interpret(case.file(), given(case, 20), FAST)
    x = grid.of(case.low, case.high)
    names = ["x", "x2"][: case.computed]
    tensors = {name: T(case.x, grid.type, *x) for name in names}
    tensors.update({name: grid.constant(case, name, x) for name in case.others})
    for name, shape in zip(wanted, case.shapes, strict=True):
        y = x if case.kind in MOVES else grid.fixed.get(case.kind) or grid.of(wanted[name].min(), wanted[name].max())
        tensors[name] = T(shape, grid.type, *y)
    order = case.order or [*names, *case.others]
    file = write(tensors, [Node(case.kind, order, list(wanted), case.table, case.options)], names, list(wanted))
    rng = np.random.default_rng(7)
    info = np.iinfo(grid.type)
    samples = {name: rng.integers(info.min, info.max + 1, (40, *case.x)).astype(grid.type) for name in names}
    for index, value in enumerate((info.min, info.max)):
        for name in names:
            samples[name][index] = value
    return file, samples


# Shares of values that are equal where TensorFlow Lite errs: its square root cuts off, its slopes are rounded before
# they are used, products of several factors one by one; and where mcuq rounds twice, in images between two dimensions.
ERRS = {
    "BATCH_MATMUL": 0.99,
    "LEAKY_RELU": 0.95,
    "LOG_SOFTMAX": 0.999,
    "PRELU": 0.994,
    "REDUCE_PROD": 0.97,
    "RESIZE_BILINEAR": 0.89,
    "SQRT": 0.49,
}
# ELU has no plain kernel, and that of SUM leaves the zero point out.
NOT_PLAIN = ("ELU", "SUM")


@pytest.mark.parametrize("name", QUANTIZED)
def test_int8_operator(name: str) -> None:
    """The kernels that Python's users get, which round once, are equalled; the plain ones round twice."""
    case = CASES[name]
    file, samples = quantized(case)
    graph = quantize_graph(optimize(import_model(file)[0]), {})
    inputs = {key: value.reshape(-1, *graph.tensors[key].shape) for key, value in samples.items()}
    got = run_layers(graph, inputs)
    for key, value in interpret(file, samples, FAST).items():
        off = np.abs(got[key].reshape(value.shape).astype(int) - value)
        assert off.max() <= 1
        assert (off == 0).mean() >= ERRS.get(case.kind, 1)
        assert len(np.unique(value)) > 20
    if case.kind in NOT_PLAIN:
        return
    for key, value in interpret(file, samples, PLAIN).items():
        assert np.abs(got[key].reshape(value.shape).astype(int) - value).max() <= 1


# The interpreter has no kernels of 16 bits for these; its logarithms and roots refuse what is negative.
NOT_INT16 = frozenset(
    {
        "DEPTH_TO_SPACE",
        "ELU",
        "HARD_SWISH",
        "L2_NORMALIZATION",
        "LOG_SOFTMAX",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "RSQRT",
        "SPACE_TO_DEPTH",
        "SQRT",
    }
)
# Its tables of functions and its weights of pixels are coarse, and it takes the slope of PRELU for an integer: there
# the float meaning holds.
COARSE = frozenset({"EXP", "GELU", "LOG", "PRELU", "RESIZE_BILINEAR", "SOFTMAX", "TANH"})
WIDE = [name for name in QUANTIZED if CASES[name].kind not in NOT_INT16]
WIDE_SCHEME = Scheme(NAMED["int16"])


@pytest.mark.parametrize("name", WIDE)
def test_int16_operator(name: str) -> None:
    """Within a step of the float meaning of the same integers, and of the interpreter, which rounds 16 bits twice."""
    case = CASES[name]
    file, samples = quantized(case, INT16)
    imported = import_model(file)[0]
    graph = quantize_graph(insert_conversions(optimize(imported), WIDE_SCHEME), {}, WIDE_SCHEME)
    got = run_layers(graph, {key: value.reshape(-1, *graph.tensors[key].shape) for key, value in samples.items()})
    theirs = interpret(file, samples, FAST)
    runtime = FloatModel(write_onnx(imported))
    for index in range(10):
        reals = {key: graph.tensors[key].quantization.dequantize(value[index]) for key, value in samples.items()}
        for key, value in runtime.run(reals).items():
            y = got[key][index]
            assert y.dtype == np.int16
            wanted = np.where(np.isfinite(value), value / graph.tensors[key].scale, y)
            assert np.abs(np.clip(wanted, -32768, 32767) - y).max() < (2.5 if case.kind == "RESIZE_BILINEAR" else 1.5)
            if case.kind not in COARSE:
                assert np.abs(theirs[key][index].reshape(y.shape).astype(int) - y).max() <= 1


def test_int16_in_the_default_scheme_has_the_steps_of_int8() -> None:
    """And compile says so; Softmax has its own quantization in each type."""
    files = {name: quantized(CASES[name], INT16)[0] for name in ("conv, valid", "softmax")}
    dtypes = {scheme: mcuq.compile(files["conv, valid"], "host", scheme=scheme) for scheme in ("int8", "int16")}
    assert dtypes["int8"].origin.notes == (
        "the model has 16 bits for 'x', 'y', and the scheme fewer; --scheme int16 keeps them",
    )
    assert dtypes["int16"].origin.notes == ()
    quants = {s: mcuq.compile(files["softmax"], "host", scheme=s).graph.tensors["y"].quant for s in ("int8", "int16")}
    assert quants == {"int8": Quant((1 / 256,), -128), "int16": Quant((1 / 32768,), 0, "int16")}


def test_int8_in_the_scheme_of_int16_has_softmax_of_16_bits() -> None:
    file = quantized(CASES["softmax"])[0]
    assert mcuq.compile(file, "host", scheme="int16").graph.tensors["y"].quant == Quant((1 / 32768,), 0, "int16")


def test_uint8_is_int8_moved() -> None:
    """Files of before 2019 have uint8, weights too, with a zero point of their own for these."""
    case = CASES["dense"]
    rng = np.random.default_rng(3)
    weight = rng.integers(0, 256, (4, 7)).astype(np.uint8)
    tensors = {
        "x": T((2, 7), "uint8", 0.03, 120),
        "w": constant(weight, scale=0.01, zero_point=131),
        "b": constant(rng.integers(-999, 999, 4).astype(np.int32), scale=0.0003),
        "y": T((2, 4), "uint8", 0.02, 9),
    }
    file = write(tensors, [Node("FULLY_CONNECTED", "xwb", "y", case.table, case.options)])
    x = rng.integers(0, 256, (100, 2, 7)).astype(np.uint8)
    graph = quantize_graph(optimize(import_model(file)[0]), {})
    got = run_layers(graph, {"x": (x.astype(int) - 128).astype(np.int8)})["y"].astype(int) + 128
    off = np.abs(got - interpret(file, {"x": x})["y"])
    assert off.max() <= 1
    assert (off == 0).mean() > 0.99


# Operators whose ONNX form computes what no int8 layer does, or not yet: it is run as it is.
WRITTEN: Mapping[str, Case] = {
    "arg max": Case("ARG_MAX", (2, 5), (2,), {"a": constant(np.int32(-1))}, table="ArgMaxOptions"),
    "arg min": Case("ARG_MIN", (3, 5), (5,), {"a": constant(np.int32(0))}, table="ArgMinOptions"),
    "cast": Case("CAST", (2, 5), (2, 5), table="CastOptions"),
    "equal": with_constant("EQUAL", (1,), "EqualOptions"),
    "not equal": with_constant("NOT_EQUAL", (1,), "NotEqualOptions"),
    "greater": pair("GREATER", "GreaterOptions"),
    "greater or equal": pair("GREATER_EQUAL", "GreaterEqualOptions"),
    "less": pair("LESS", "LessOptions"),
    "less or equal": pair("LESS_EQUAL", "LessEqualOptions"),
    "shape": Case("SHAPE", (2, 5), (2,), table="ShapeOptions"),
}
TYPES = {"ARG_MAX": "int32", "ARG_MIN": "int32", "CAST": "int32", "SHAPE": "int32"}
TYPES |= dict.fromkeys(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), "bool")


@pytest.mark.parametrize("name", WRITTEN)
def test_the_onnx_form(name: str) -> None:
    case = WRITTEN[name]
    case = replace(case, type=TYPES.get(case.kind, "float32"), options={**case.options, **_out_type(case)})
    file, samples = case.file(), given(case)
    model = onnx_of(file, "net.tflite")
    wanted = interpret(file, samples, FAST)
    for index in range(3):
        got = original_outputs(model, {key: value[index] for key, value in samples.items()})
        assert list(got) == list(wanted)
        for key, value in wanted.items():
            assert got[key].dtype == value.dtype
            np.testing.assert_allclose(got[key], value[index], rtol=1e-5, atol=1e-5)


def _out_type(case: Case) -> dict[str, int]:
    fields = {"ARG_MAX": "outputType", "ARG_MIN": "outputType", "CAST": "outDataType", "SHAPE": "outType"}
    return {fields[case.kind]: 2} if case.kind in fields else {}


def test_logic_and_choice() -> None:
    """x > y and not x <= z, or x != y, chooses between two tensors."""
    shape = (3, 4)
    tensors = {n: T(shape) for n in "xyzv"} | {n: T(shape, "bool") for n in "abcdef"} | {"r": T(shape), "s": T(shape)}
    nodes = [
        Node("GREATER", "xy", "a", "GreaterOptions"),
        Node("LESS_EQUAL", "xz", "b", "LessEqualOptions"),
        Node("LOGICAL_NOT", "b", "c", "LogicalNotOptions"),
        Node("LOGICAL_AND", "ac", "d", "LogicalAndOptions"),
        Node("NOT_EQUAL", "zy", "e", "NotEqualOptions"),
        Node("LOGICAL_OR", "de", "f", "LogicalOrOptions"),
        Node("SELECT", ["d", "x", "y"], ["r"], "SelectOptions"),
        Node("SELECT_V2", ["f", "z", "v"], ["s"], "SelectV2Options"),
    ]
    file = write(tensors, nodes, "xyzv", ("r", "s"))
    rng = np.random.default_rng(0)
    samples = {name: rng.integers(-2, 3, (1, *shape)).astype(np.float32) for name in "xyzv"}
    got = original_outputs(onnx_of(file, "net.tflite"), {name: value[0] for name, value in samples.items()})
    for name, value in interpret(file, samples).items():
        np.testing.assert_array_equal(got[name], value[0])


def test_a_row_of_conditions_selects_along_the_first_dimension() -> None:
    tensors = {name: T((4, 4)) for name in "xyr"} | {name: T((4,)) for name in "pq"} | {"a": T((4,), "bool")}
    nodes = [Node("LESS", "pq", "a", "LessOptions"), Node("SELECT", "axy", "r", "SelectOptions")]
    file = write(tensors, nodes, "xypq", ("r",))
    rng = np.random.default_rng(0)
    samples = {name: rng.normal(size=(1, *tensors[name].shape)).astype(np.float32) for name in "xypq"}
    got = original_outputs(onnx_of(file, "net.tflite"), {name: value[0] for name, value in samples.items()})
    np.testing.assert_array_equal(got["r"], interpret(file, samples)["r"][0])


def test_weights_of_other_types() -> None:
    """float16 and int8 behind DEQUANTIZE, and int4, in layers of floats."""
    rng = np.random.default_rng(1)
    w = rng.integers(-8, 8, (3, 6))
    packed = (w[:, ::2] & 15 | (w[:, 1::2] & 15) << 4).astype(np.uint8)
    tensors = {
        "x": T((1, 6)),
        "half": constant(rng.normal(size=(6, 6)).astype(np.float16)),
        "h": T((6, 6)),
        "u": T((1, 6)),
        "q": constant(rng.integers(-127, 128, (6, 6)).astype(np.int8), scale=[0.01 * n for n in range(1, 7)]),
        "f": T((6, 6)),
        "v": T((1, 6)),
        "four": T((3, 6), "int4", 0.1, data=packed),
        "d": T((3, 6)),
        "y": T((1, 3)),
    }
    table = "FullyConnectedOptions"
    nodes = [
        Node("DEQUANTIZE", ["half"], ["h"], "DequantizeOptions"),
        Node("FULLY_CONNECTED", ["x", "h", ""], ["u"], table),
        Node("DEQUANTIZE", ["q"], ["f"], "DequantizeOptions"),
        Node("FULLY_CONNECTED", ["u", "f", ""], ["v"], table),
        Node("DEQUANTIZE", ["four"], ["d"], "DequantizeOptions"),
        Node("FULLY_CONNECTED", ["v", "d", ""], ["y"], table),
    ]
    file = write(tensors, nodes)
    x = rng.normal(size=(3, 1, 6)).astype(np.float32)
    runtime = FloatModel(write_onnx(optimize(import_model(file)[0])))
    wanted = interpret(file, {"x": x}, FAST)["y"]
    for index in range(3):
        np.testing.assert_allclose(runtime.run({"x": x[index]})["y"], wanted[index], rtol=1e-5, atol=1e-5)


def test_requantization_and_edges() -> None:
    """QUANTIZE of floats and from one scale to another, and DEQUANTIZE at the end."""
    tensors = {
        "x": T((1, 50)),
        "a": T((1, 50), "int8", 0.05, 3),
        "b": T((1, 50), "int8", 0.07, -20),
        "y": T((1, 50)),
    }
    nodes = [
        Node("QUANTIZE", "x", "a", "QuantizeOptions"),
        Node("QUANTIZE", "a", "b", "QuantizeOptions"),
        Node("DEQUANTIZE", "b", "y", "DequantizeOptions"),
    ]
    file = write(tensors, nodes)
    x = np.linspace(-8, 8, 200, dtype=np.float32).reshape(4, 1, 50)
    graph = quantize_graph(optimize(import_model(file)[0]), {})
    got = dequantize_outputs(graph, run_layers(graph, quantize_inputs(graph, {"x": x})))["y"]
    np.testing.assert_allclose(got, interpret(file, {"x": x})["y"], atol=1e-6)


def test_every_operator_has_a_case() -> None:
    kinds = {case.kind for case in (*CASES.values(), *WRITTEN.values())}
    others = {"DENSIFY", "DEQUANTIZE", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "QUANTIZE", "SELECT", "SELECT_V2"}
    assert kinds | others == set(OPERATORS)


def test_the_page_lists_every_operator() -> None:
    page = (Path(__file__).parents[2] / "docs" / "quantized_models.md").read_text(encoding="utf-8")
    listed = page.split("\nOperators: ")[1].split(". Each becomes")[0]
    variables = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
    assert sorted(listed.replace(";", ",").replace("\n", " ").split(", ")) == sorted({*OPERATORS, *variables})
