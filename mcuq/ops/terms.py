"""What is made of three computed tensors and more of one shape, each times a factor of its own, and rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.int8 import Requantization, clamp
from mcuq.arithmetic.int16 import requantize_long
from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.elementwise import Elementwise

# Of int16: what `requantize_long` multiplies an accumulator by, and shifts back.
_BITS = 30


@dataclass(frozen=True)
class IntegerTerms:
    """What integers are multiplied by, and how far accumulators are then shifted to the output's."""

    factors: tuple[int, ...]
    shift: int

    @property
    def requantization(self) -> Requantization:
        """Of int16: the shift as `requantize_long` has it, the rounding half included."""
        return Requantization((1 << _BITS,), self.shift + _BITS - 32, 0)


@dataclass(frozen=True)
class Terms(Elementwise, Clamped):
    """A function of 3 to `most_terms` computed tensors of one shape."""

    most_terms: ClassVar[int]
    dtypes = MIXED | FLOAT32

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        if len({t.shape for t in inputs}) > 1 or not 3 <= len(inputs) <= self.most_terms:
            shapes = " and ".join(str(list(t.shape)) for t in inputs)
            raise ModelError(f"takes 3 to {self.most_terms} tensors of one shape, not {shapes}")
        return inputs[0].shape

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return range(len(layer.inputs))

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return tuple(range(len(layer.inputs)))

    def too_far_apart(self, layer: Layer, factors: Sequence[float]) -> QuantizationError:
        """For factors that no shift leaves room for."""
        scales = ", ".join(f"{f:g}" for f in factors)
        return QuantizationError(
            f"{layer.where}: input scales are {scales} times the output's, too far apart for int32; check the "
            "calibration data"
        )

    def rounded(self, layer: Layer, acc: Array, found: IntegerTerms) -> Array:
        """The output of int64 accumulators."""
        bounds = self.output_bounds(layer.output)
        if layer.output.dtype == "int16":
            return requantize_long(acc[..., None], found.requantization, 0, *bounds)[..., 0].astype(np.int16)
        return clamp(acc >> found.shift, *bounds)
