"""Reductions over whole dimensions beside mean and sum: of sizes, of squares, their root, the product, the least."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log2
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.reduce import PowerOfTwo, power_of_two, product_value, product_with
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MIXED, MOVED
from mcuq.ops.lp_pool import stated_power
from mcuq.ops.mean import summed
from mcuq.ops.power_sum import PowerSum, power_of_size, root_float32, write_power, write_root
from mcuq.ops.reduction import Reduction, from_global, from_reduction


def from_global_lp_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """The p-th root of the sum of |x|^p."""
    power = stated_power(node)
    return from_global(lambda axes: norm_over(axes, power))(node, graph)


def norm_over(axes: tuple[int, ...], power: int) -> ReduceL1:
    """The norm of that power."""
    return ReduceLp(axes, power=power) if power > 2 else ReduceL1(axes) if power == 1 else ReduceL2(axes)


@dataclass(frozen=True)
class ReduceL1(Reduction, Clamped):
    """y = clamp(sum of |x| over `axes`), of x - x_zero_point. Largest error half a step.

    Others are the sum of |x|^power, or its root.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ReduceL1": from_reduction(lambda axes: ReduceL1(axes))}
    has_root: ClassVar[bool] = False

    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    keeps_single = False

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,) if self.order == 1 or self.has_root else ()

    @property
    def order(self) -> int:
        """The power whose sum it is of."""
        return 1

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        low, high = super().clip_range(low, high)
        return max(low, 0.0), max(high, 0.0)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x = layer.inputs[0].name
        # Without axes it reduces all dimensions.
        if self.axes:
            y = writer.node(type(self).__name__, [x], axes=list(self.axes), keepdims=1)
        elif self.order == 1 or self.has_root:
            y = writer.node("Abs", [x])
        else:
            y = writer.node("Mul", [x, x])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def sums(self, layer: Layer) -> PowerSum:
        """Those over all dimensions."""
        return PowerSum(layer, self.order, self.has_root, self.count(layer))

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.quant is None:
            return simulate_norm_float32(self, layer, inputs[0])
        size = np.abs(inputs[0].astype(np.int64) - x.zero_point)
        acc = (size**self.order).sum(axis=tuple(axis + 1 for axis in self.axes), keepdims=True)
        return self.sums(layer).finished(self, acc)


@dataclass(frozen=True)
class ReduceSumSquare(ReduceL1):
    """y = clamp(sum of x^2 over `axes`). Largest error half a step."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ReduceSumSquare": from_reduction(lambda axes: ReduceSumSquare(axes))}

    @property
    def order(self) -> int:
        return 2


@dataclass(frozen=True)
class ReduceL2(ReduceSumSquare):
    """y = clamp(sqrt(sum of x^2 over `axes`)), an integer root with `root_bits` fraction bits. Largest error half a
    step, and 2^-root_bits steps of x: 2^-16 up to 2^14 values of int8, 2^-16 to 2^-8 of int16."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "GlobalLpPool": from_global_lp_pool,
        "ReduceL2": from_reduction(lambda axes: ReduceL2(axes)),
    }
    has_root: ClassVar[bool] = True


@dataclass(frozen=True)
class ReduceLp(ReduceL2):
    """y = clamp((sum of |x|^power over `axes`)^(1 / power)) for powers from 3 on. Largest error that of LpPool."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {}
    power: int = 3

    @property
    def order(self) -> int:
        return self.power

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = write_power(writer, layer.inputs[0].name, self.power)
        if self.axes:
            y = writer.node("ReduceSum", [y, writer.constant(np.array(self.axes, np.int64))], keepdims=1)
        writer.clip(write_root(writer, y, self.power), self.minimum, self.maximum, layer.output.name)


def simulate_norm_float32(op: ReduceL1, layer: Layer, x: Array) -> Array:
    """0 + |x| or x * x, one after the other, or its root."""
    columns = op.columns(layer, x)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        acc = summed(power_of_size(columns, op.order))
    y = root_float32(acc, op.order) if op.has_root else acc
    return clamp_float(y, op.minimum, op.maximum).reshape(len(x), *layer.output.shape)


@dataclass(frozen=True)
class ReduceProd(Reduction, Clamped):
    """y = clamp(product of x over `axes`), of x - x_zero_point as 31 bits and a power of two. Largest error half a
    step, and 2^-30 of the product for each value."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ReduceProd": from_reduction(lambda axes: ReduceProd(axes))}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x = layer.inputs[0].name
        # Without axes it reduces all dimensions.
        y = writer.node("ReduceProd", [x], axes=list(self.axes), keepdims=1) if self.axes else x
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def parameters(self, layer: Layer) -> PowerOfTwo:
        """What a product of steps of x is in steps of the output: in logarithms, as the power may be no float64."""
        return power_of_two(self.count(layer) * log2(layer.inputs[0].scale) - log2(layer.output.scale))

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        columns, x, y = self.columns(layer, inputs[0]), layer.inputs[0], layer.output
        if y.quant is None:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                product = np.ones_like(columns[:, :, 0])
                for i in range(columns.shape[2]):
                    product = product * columns[:, :, i]
            return clamp_float(product, self.minimum, self.maximum).reshape(len(columns), *y.shape)
        mantissa = np.full(columns[:, :, 0].shape, 2**30, np.int32)
        exponent = np.zeros(mantissa.shape, np.int32)
        for i in range(columns.shape[2]):
            mantissa, exponent = product_with(mantissa, exponent, columns[:, :, i].astype(np.int32) - x.zero_point)
        q = product_value(mantissa, exponent, self.parameters(layer), y.zero_point, *self.output_bounds(y))
        return q.reshape(len(columns), *y.shape).astype(y.dtype)


@dataclass(frozen=True)
class ReduceMin(Reduction):
    """y = the least x over `axes`. Exact. Among floats NaN is left out, as MaxPool does."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ReduceMin": from_reduction(lambda axes: ReduceMin(axes))}
    shares_scale = True
    is_monotone = True
    dtypes = MOVED

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, y = layer.inputs[0].name, layer.output.name
        # Without axes it reduces all dimensions.
        if self.axes:
            writer.node("ReduceMin", [x], y, axes=list(self.axes), keepdims=1)
        else:
            writer.node("Identity", [x], y)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        columns = self.columns(layer, inputs[0])
        greatest = np.float32(np.inf) if layer.output.quant is None else layer.output.quantization.bounds[1]
        least = np.full_like(columns[:, :, 0], greatest)
        for i in range(columns.shape[2]):
            least = np.where(columns[:, :, i] < least, columns[:, :, i], least)
        return least.reshape(len(columns), *layer.output.shape)
