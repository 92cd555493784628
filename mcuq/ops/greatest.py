"""Greatest and Least: of three tensors and more of one shape, in their own scales, rounded once; ONNX's Max and Min."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from math import ldexp
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, maximum, minimum
from mcuq.arithmetic.int8 import INT32_MAX, Requantization, clamp
from mcuq.arithmetic.int16 import requantize_long
from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.elementwise import Elementwise

MOST_TERMS = 8
# Of int16: what `requantize_long` multiplies an accumulator by, and shifts back.
_BITS = 30


@dataclass(frozen=True)
class IntegerExtreme:
    """q = (the largest or least of factors[i] * x[i] + constants[i]) >> shift, clamped; int32, of int16 int64."""

    factors: tuple[int, ...]
    constants: tuple[int, ...]
    shift: int

    @property
    def requantization(self) -> Requantization:
        """Of int16: the shift as `requantize_long` has it, the rounding half included."""
        return Requantization((1 << _BITS,), self.shift + _BITS - 32, 0)


@dataclass(frozen=True)
class Greatest(Elementwise, Clamped):
    """y = clamp(max(x0, x1, ...)), of up to 8 computed tensors of one shape; NaN where one is.

    Largest error half a step, and 128 * 2^-shift steps of factor rounding, of int16 2^(14 - shift); exact where the
    scales are equal.
    """

    is_monotone = True
    is_max: ClassVar[bool] = True
    dtypes = MIXED | FLOAT32

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        if len({t.shape for t in inputs}) > 1 or not 3 <= len(inputs) <= MOST_TERMS:
            shapes = " and ".join(str(list(t.shape)) for t in inputs)
            raise ModelError(f"takes 3 to {MOST_TERMS} tensors of one shape, not {shapes}")
        return inputs[0].shape

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return range(len(layer.inputs))

    def parameters(self, layer: Layer) -> IntegerExtreme:
        """Factors as large as the accumulator allows."""
        real = [t.scale / layer.output.scale for t in layer.inputs]
        is_long = layer.output.dtype == "int16"
        for shift in range(24 if is_long else 30, 0, -1):
            factors = tuple(round(ldexp(f, shift)) for f in real)
            if is_long:
                if max(factors) <= INT32_MAX:
                    return IntegerExtreme(factors, (0,) * len(factors), shift)
                continue
            offset = (layer.output.zero_point << shift) + (1 << (shift - 1))
            constants = tuple(offset - t.zero_point * f for t, f in zip(layer.inputs, factors, strict=True))
            if max(128 * f + abs(c) for f, c in zip(factors, constants, strict=True)) <= INT32_MAX:
                return IntegerExtreme(factors, constants, shift)
        scales = ", ".join(f"{f:g}" for f in real)
        raise QuantizationError(
            f"{layer.where}: input scales are {scales} times the output's, too far apart for int32; check the "
            "calibration data"
        )

    def bound(self, layer: Layer) -> int:
        """Largest magnitude of an int32 accumulator, 0 where it is longer."""
        if layer.output.dtype != "int8":
            return 0
        found = self.parameters(layer)
        return max(128 * f + abs(c) for f, c in zip(found.factors, found.constants, strict=True))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Max" if self.is_max else "Min", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return clamp_float(reduce(maximum if self.is_max else minimum, inputs), self.minimum, self.maximum)
        found, bounds = self.parameters(layer), self.output_bounds(layer.output)
        terms = zip(inputs, found.factors, found.constants, strict=True)
        acc = reduce(np.maximum if self.is_max else np.minimum, (x.astype(np.int64) * f + c for x, f, c in terms))
        if layer.output.dtype == "int16":
            return requantize_long(acc[..., None], found.requantization, 0, *bounds)[..., 0].astype(np.int16)
        return clamp(acc >> found.shift, *bounds)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return tuple(range(len(layer.inputs)))


@dataclass(frozen=True)
class Least(Greatest):
    """y = clamp(min(x0, x1, ...)), as Greatest."""

    is_max: ClassVar[bool] = False
