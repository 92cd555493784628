"""Mean: the average over whole dimensions; GlobalAveragePool and ReduceMean. ReduceSum: the sum."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.dtypes import MIXED
from mcuq.ops.reduction import Reduction, from_global, from_reduction
from mcuq.ops.requantized import largest_difference, requantize_output


@dataclass(frozen=True)
class Mean(Reduction, Clamped):
    """y = clamp(sum of x over `axes` / their size); reduced dimensions stay with size 1.

    Largest error half a step.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "GlobalAveragePool": from_global(lambda axes: Mean(axes)),
        "ReduceMean": from_reduction(lambda axes: Mean(axes)),
    }
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    is_monotone = True

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def averaged(self, layer: Layer) -> int | None:
        return self.count(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        # Without axes both reduce all dimensions.
        y = layer.inputs[0].name
        if self.axes:
            y = self.write(writer, y)
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def write(self, writer: OnnxWriter, x: str) -> str:
        """Write what it is, bounds aside; the name of the result."""
        return writer.node("ReduceMean", [x], axes=list(self.axes), keepdims=1)

    def divisor(self, layer: Layer) -> int:
        """What the sum is divided by."""
        return self.count(layer)

    def bound(self, layer: Layer) -> int:
        """Largest sum of (x - zero_point)."""
        return largest_difference(layer.inputs[0]) * self.count(layer)

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: input scale / (output scale * divisor)."""
        factor = layer.inputs[0].scale / (layer.output.scale * self.divisor(layer))
        return requantization([factor], self.bound(layer), layer.where)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.quant is None:
            return simulate_mean_float32(self, layer, inputs[0])
        axes = tuple(axis + 1 for axis in self.axes)
        acc = inputs[0].sum(axis=axes, keepdims=True, dtype=np.int64) - self.count(layer) * x.zero_point
        return requantize_output(self, acc, self.requantization(layer), self.bound(layer), y)


@dataclass(frozen=True)
class ReduceSum(Mean):
    """y = clamp(sum of x over `axes`), as Mean. Largest error half a step."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ReduceSum": from_reduction(lambda axes: ReduceSum(axes))}

    def averaged(self, layer: Layer) -> int | None:
        return None

    def write(self, writer: OnnxWriter, x: str) -> str:
        return writer.node("ReduceSum", [x, writer.constant(np.array(self.axes, np.int64))], keepdims=1)

    def divisor(self, layer: Layer) -> int:
        return 1


def simulate_mean_float32(op: Mean, layer: Layer, x: Array) -> Array:
    """0 + x, one after the other, times 1 / divisor rounded to float32."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        mean = summed(op.columns(layer, x)) * np.float32(1 / op.divisor(layer))
    return clamp_float(mean, op.minimum, op.maximum).reshape(len(x), *layer.output.shape)


def summed(columns: Array) -> Array:
    """0 + x, one after the other along the third dimension, in float32."""
    acc = np.zeros_like(columns[:, :, 0])
    for i in range(columns.shape[2]):
        acc = acc + columns[:, :, i]
    return acc
