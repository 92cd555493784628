"""ToIntegers: real values as integers that stand for themselves, towards 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import truncate, truncate_float
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.ops.dtypes import ANY
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.from_integers import reach


@dataclass(frozen=True)
class ToIntegers(Elementwise):
    """y = x without its fraction, limited to [low, high]; NaN is 0. Exact, but for numbers within 2^-30 of a whole one.

    Of codes floor(|x - zero_point| * scale), with scale rounded up to 31 bits, so that a whole number that scale's own
    rounding has brought just below it is not lost.
    """

    low: int
    high: int

    passes_channels = False
    is_monotone = True
    dtypes = ANY

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return Integers.of(self.low, self.high)

    def factor(self, layer: Layer) -> tuple[int, int]:
        """(multiplier, shift): the scale is multiplier / 2^shift."""
        _, exponent = frexp(layer.inputs[0].scale)
        # Beyond 62 nothing is left of 16 bits times 31.
        shift = min(31 - exponent, 62)
        if shift < 0:
            return 2**31 - 1, 0
        return min(int(np.ceil(np.ldexp(layer.inputs[0].scale, shift))), 2**31 - 1), shift

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        limits = [writer.constant(np.array(bound, np.float32)) for bound in reach(layer.output)]
        limited = writer.node("Clip", [layer.inputs[0].name, *limits])
        whole = writer.node("Cast", [limited], to=TensorProto.INT64)
        writer.node("Cast", [whole], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        (x,), low_high = inputs, reach(layer.output)
        if layer.inputs[0].quant is None:
            return truncate_float(x, *low_high).astype(layer.output.dtype)
        difference = x.astype(np.int32) - layer.inputs[0].zero_point
        return truncate(difference, *self.factor(layer), *low_high).astype(layer.output.dtype)
