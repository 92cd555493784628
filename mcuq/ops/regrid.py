"""An input whose channels differ in range: each in its own scale outside, all in one inside.

y = (x - shift) / scale for each index of one dimension, with y about -1 to 1. On integers that is only another reading
of the same codes. The layers that read y have the scales in their weights, the shifts in their biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import quantize_float
from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, ChannelQuant, Quant, Shape, Tensor
from mcuq.ops.dtypes import INTEGERS, MOVED


@dataclass(frozen=True)
class Regrid(Operator):
    """The codes of an input, read with one scale for all of them. Exact."""

    axis: int

    is_view = True
    dtypes = MOVED | {"uint8"}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, scale, shift = inputs
        if scale.shape != (x.shape[self.axis],) or shift.shape != scale.shape:
            raise ModelError(
                f"scale {list(scale.shape)} and shift {list(shift.shape)} do not fit axis {self.axis} of "
                f"{list(x.shape)}"
            )
        return x.shape

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        return (axis, OWN_ROW) if axis != self.axis else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, scale, shift = layer.inputs
        shape = [-1 if axis == self.axis else 1 for axis in range(len(x.shape))]
        moved = writer.node("Sub", [x.name, writer.constant(shift.values.reshape(shape))])
        writer.node("Div", [moved, writer.constant(scale.values.reshape(shape))], layer.output.name)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def edge_quant(self, layer: Layer, inner: Quant) -> ChannelQuant:
        """The input's quantization, where the output's is `inner`."""
        x, scale, shift = layer.inputs
        scales = scale.values.astype(np.float64) * inner.step
        zero_points = inner.zero_point - np.rint(shift.values / scales).astype(np.int64)
        return ChannelQuant(
            tuple(scales.tolist()),
            inner.zero_point,
            inner.dtype,
            axis=self.axis - len(x.shape),
            zero_points=tuple(zero_points.tolist()),
        )

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0]


@dataclass(frozen=True)
class QuantizeChannels(Regrid):
    """Of a float input: the integers of `dtype` that Regrid takes from elsewhere, by one rounding.

    Largest error: half a step, and float32's rounding.
    """

    dtype: str = "int8"

    is_view = False
    dtypes = INTEGERS

    @property
    def stated_dtype(self) -> str | None:
        return self.dtype

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        (x, scale, shift), y = layer.inputs, layer.output
        shape = [-1 if axis == self.axis else 1 for axis in range(len(x.shape))]
        with np.errstate(invalid="ignore", over="ignore"):
            moved = inputs[0] - shift.values.reshape(shape)
        inverse = inverse_scale(scale, y).reshape(shape)
        return quantize_float(moved, inverse, y.zero_point, *y.quantization.bounds).astype(y.dtype)


def inverse_scale(scale: Tensor, y: Tensor) -> Array:
    return (1 / (scale.values.astype(np.float64) * y.scale)).astype(np.float32)
