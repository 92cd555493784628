"""Max and Min: the larger or the smaller of two tensors in their own scales, rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression, where
from mcuq.arithmetic.float32 import clamp_float, maximum, minimum
from mcuq.arithmetic.int8 import WeightedExtreme, weighted_extreme_parameters, weighted_max, weighted_min
from mcuq.arithmetic.int16 import SumS16, sum_parameters_s16, weighted_max_s16, weighted_min_s16
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.binary import Binary
from mcuq.ops.dtypes import MIXED


@dataclass(frozen=True)
class Max(Binary):
    """y = clamp(max(a, b)); NaN where one is. Largest error half a step, and 128 * 2^-shift steps of factor rounding,
    of int16 operands 2^(14-shift); exact where the scales are equal."""

    dtypes = frozenset({*MIXED, "float32"})
    is_monotone = True
    is_max: ClassVar[bool] = True

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return range(len(layer.inputs))

    def expression(self, a: Expression, b: Expression) -> Expression | None:
        return where(a > b if self.is_max else a < b, a, b)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constants are rounded to the output's steps: what lies beyond its codes makes no difference."""
        if layer.output.quant is None:
            return layer.inputs
        quant = layer.output.quantization
        own = tuple(replace(t, quant=quant) if t.is_constant and t.quant is None else t for t in layer.inputs)
        return super().quantize_constants(replace(layer, inputs=own))

    def parameters(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> WeightedExtreme:
        """The integer factors, for the operands in the order given."""
        a, b = (layer.inputs[i] for i in order)
        points = (a.zero_point, b.zero_point)
        return weighted_extreme_parameters(self.factors(layer, order), points, layer.output.zero_point, layer.where)

    def parameters_s16(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> SumS16:
        """Those of int16 operands."""
        return sum_parameters_s16(self.factors(layer, order), layer.where)

    def factors(self, layer: Layer, order: tuple[int, int]) -> tuple[float, float]:
        """What an operand's step is in steps of the output."""
        first, second = (layer.inputs[i].scale / layer.output.scale for i in order)
        return first, second

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node(type(self).__name__, [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        a, b = inputs
        if layer.output.quant is None:
            return clamp_float(maximum(a, b) if self.is_max else minimum(a, b), self.minimum, self.maximum)
        bounds = self.output_bounds(layer.output)
        if layer.output.dtype == "int16":
            chosen_s16 = weighted_max_s16 if self.is_max else weighted_min_s16
            return chosen_s16(a, b, self.parameters_s16(layer), *bounds).astype(np.int16)
        chosen = weighted_max if self.is_max else weighted_min
        return chosen(a, b, self.parameters(layer), *bounds)


@dataclass(frozen=True)
class Min(Max):
    """y = clamp(min(a, b)), as Max."""

    is_max: ClassVar[bool] = False
