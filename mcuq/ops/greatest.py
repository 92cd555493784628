"""Greatest and Least: of three tensors and more of one shape, in their own scales, rounded once; ONNX's Max and Min."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import ldexp
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, maximum, minimum
from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.terms import IntegerTerms, Terms

MOST_TERMS = 8


@dataclass(frozen=True)
class IntegerExtreme(IntegerTerms):
    """q = (the largest or least of factors[i] * x[i] + constants[i]) >> shift, clamped; int32, of int16 int64."""

    constants: tuple[int, ...]


@dataclass(frozen=True)
class Greatest(Terms):
    """y = clamp(max(x0, x1, ...)), of up to 8 computed tensors of one shape; NaN where one is.

    Largest error half a step, and 128 * 2^-shift steps of factor rounding, of int16 2^(14 - shift); exact where the
    scales are equal.
    """

    most_terms = MOST_TERMS
    is_monotone = True
    is_max: ClassVar[bool] = True

    def parameters(self, layer: Layer) -> IntegerExtreme:
        """Factors as large as the accumulator allows."""
        real = [t.scale / layer.output.scale for t in layer.inputs]
        is_long = layer.output.dtype == "int16"
        for shift in range(24 if is_long else 30, 0, -1):
            factors = tuple(round(ldexp(f, shift)) for f in real)
            if is_long:
                if max(factors) <= INT32_MAX:
                    return IntegerExtreme(factors, shift, (0,) * len(factors))
                continue
            offset = (layer.output.zero_point << shift) + (1 << (shift - 1))
            constants = tuple(offset - t.zero_point * f for t, f in zip(layer.inputs, factors, strict=True))
            if max(128 * f + abs(c) for f, c in zip(factors, constants, strict=True)) <= INT32_MAX:
                return IntegerExtreme(factors, shift, constants)
        raise self.too_far_apart(layer, real)

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
        found = self.parameters(layer)
        terms = zip(inputs, found.factors, found.constants, strict=True)
        acc = reduce(np.maximum if self.is_max else np.minimum, (x.astype(np.int64) * f + c for x, f, c in terms))
        return self.rounded(layer, acc, found)


@dataclass(frozen=True)
class Least(Greatest):
    """y = clamp(min(x0, x1, ...)), as Greatest."""

    is_max: ClassVar[bool] = False
