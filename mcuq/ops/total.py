"""Total: the sum or the mean of three tensors and more of one shape, rounded once; ONNX's Sum and Mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, float32
from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.terms import IntegerTerms, Terms

MOST_TERMS = 4


@dataclass(frozen=True)
class IntegerTotal(IntegerTerms):
    """q = (sum of factors[i] * x[i] + constant) >> shift, clamped; of int8 all is int32, of int16 the sum int64."""

    constant: int


@dataclass(frozen=True)
class Total(Terms):
    """y = clamp(factor * (x0 + x1 + ...)), of 3 or 4 computed tensors of one shape.

    Largest error half a step, and 2^(7 - shift) steps of factor rounding for each of int8, where the sum takes 31 bits;
    of int16 2^(15 - shift), shift being 24 unless a step is 16 times the output's or more.
    """

    factor: float = 1.0

    most_terms = MOST_TERMS

    def parameters(self, layer: Layer) -> IntegerTotal:
        """Factors as large as the accumulator allows."""
        real = [self.factor * t.scale / layer.output.scale for t in layer.inputs]
        is_long = layer.output.dtype == "int16"
        for shift in range(24 if is_long else 30, 0, -1):
            factors = tuple(round(ldexp(f, shift)) for f in real)
            if is_long:
                if sum(map(abs, factors)) <= INT32_MAX:
                    return IntegerTotal(factors, shift, 0)
                continue
            points = sum(t.zero_point * f for t, f in zip(layer.inputs, factors, strict=True))
            constant = (layer.output.zero_point << shift) - points + (1 << (shift - 1))
            if 128 * sum(map(abs, factors)) + abs(constant) <= INT32_MAX:
                return IntegerTotal(factors, shift, constant)
        raise self.too_far_apart(layer, real)

    def bound(self, layer: Layer) -> int:
        """Largest magnitude of an int32 accumulator, 0 where it is longer."""
        if layer.output.dtype != "int8":
            return 0
        found = self.parameters(layer)
        return 128 * sum(map(abs, found.factors)) + abs(found.constant)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Sum", [t.name for t in layer.inputs])
        if self.factor != 1:
            y = writer.node("Mul", [y, writer.constant(np.array(self.factor, np.float32))])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                total = inputs[0]
                for x in inputs[1:]:
                    total = total + x
                return clamp_float(total * np.float32(float32(self.factor)), self.minimum, self.maximum)
        parameters = self.parameters(layer)
        acc = np.full(inputs[0].shape, parameters.constant, np.int64)
        for x, factor in zip(inputs, parameters.factors, strict=True):
            acc += x.astype(np.int64) * factor
        return self.rounded(layer, acc, parameters)
