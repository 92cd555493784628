"""DynamicQuantize: codes in the range that a tensor has at run time, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.float32 import clamp_float, dynamic_range, quantize_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.requantized import requantize_output

PARTS = ("codes", "scale", "zero point")


def from_dynamic_quantize(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """Where its codes are not read as real values again, which they stand for elsewhere."""
    x = node.computed(0)
    return tuple(
        graph.add(DynamicQuantize(part), [x], node.outputs[index], node.name) if node.gives(index) else ""
        for index, part in enumerate(PARTS)
    )


@dataclass(frozen=True)
class DynamicQuantize(Clamped):
    """scale = (high - low) / 255 of the values of x and 0, zero point = round(-low / scale), and codes = round(x /
    scale) + zero point, from 0 to 255; of zeros alone the scale is 1. `part` says which.

    Of codes of x exact, halves up, but for the scale, whose largest error is half a step. In floats the scale is within
    a unit in the last place, and beside halves a code may be the next one.
    """

    part: str

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"DynamicQuantizeLinear": from_dynamic_quantize}
    dtypes = MIXED | FLOAT32

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape if self.part == "codes" else ()

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return None if self.part == "scale" else Integers.of(0, 255)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return output if self.part == "scale" else own

    def bound(self, layer: Layer) -> int:
        """The largest range of codes."""
        low, high = layer.inputs[0].quantization.bounds
        return high - low

    def requantization(self, layer: Layer) -> Requantization:
        """Of the range of codes: one factor."""
        factor = layer.inputs[0].scale / 255 / layer.output.scale
        return requantization([factor], self.bound(layer), layer.where)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        names = writer.several("DynamicQuantizeLinear", [layer.inputs[0].name], len(PARTS))
        y = names[PARTS.index(self.part)]
        if self.part == "scale":
            writer.clip(y, self.minimum, self.maximum, layer.output.name)
        else:
            writer.node("Cast", [y], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y, samples = layer.output, len(inputs[0])
        x = inputs[0].reshape(samples, prod(layer.inputs[0].shape))
        found = self._of_floats(x) if layer.inputs[0].quant is None else self._of_codes(layer, x)
        return found.reshape(samples, *y.shape).astype(y.dtype)

    def _of_floats(self, x: Array) -> Array:
        scale, inverse, zero_point = dynamic_range(x)
        if self.part == "scale":
            return clamp_float(scale, self.minimum, self.maximum)
        return 128 + (zero_point if self.part == "zero point" else quantize_float(x, inverse, zero_point, -128, 127))

    def _of_codes(self, layer: Layer, x: Array) -> Array:
        zero = layer.inputs[0].zero_point
        difference = x.astype(np.int64) - zero
        low = np.minimum(difference.min(axis=1, keepdims=True), 0)
        span = np.maximum(difference.max(axis=1, keepdims=True), 0) - low
        if self.part == "scale":
            acc = span[..., None]
            scale = requantize_output(self, acc, self.requantization(layer), self.bound(layer), layer.output)[..., 0]
            return np.where(span == 0, self.scale_of_zeros(layer), scale)
        zero_point = _share(-low, span)
        return zero_point if self.part == "zero point" else np.clip(_share(difference, span) + zero_point, 0, 255)

    def scale_of_zeros(self, layer: Layer) -> int:
        """The output's code of 1."""
        one = float(np.clip(1, self.minimum, self.maximum))
        return int(layer.output.quantization.quantize(np.array(one)))


def _share(x: Array, span: Array) -> Array:
    """x * 255 / span, halves up; 0 of a span of 0."""
    share: Array = (510 * x + span) // np.maximum(2 * span, 1)
    return share
