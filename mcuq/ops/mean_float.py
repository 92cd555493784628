"""Mean of floats."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, float32
from mcuq.graph.operator import Call, Constants, Layer
from mcuq.graph.tensor import Array

if TYPE_CHECKING:
    from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class MeanFloatConstants(Constants):
    """x (outer, reduced, inner) -> y (outer, inner)."""

    template = "mean_float"
    computes_in_float = True

    outer: int
    reduced: int
    inner: int
    inverse_count: float
    minimum: float
    maximum: float


def lower_mean_float(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """The reduced dimensions are neighbours: a pass has seen to it."""
    outer, reduced, inner = _sizes(op, layer)
    constants = MeanFloatConstants(
        outer, reduced, inner, float32(1 / reduced), float32(op.minimum), float32(op.maximum)
    )
    return (Call(constants),)


def simulate_mean_float(op: Mean, layer: Layer, x: Array) -> Array:
    """0 + x, one after the other, times 1 / count rounded to float32."""
    outer, reduced, inner = _sizes(op, layer)
    values = x.reshape(len(x), outer, reduced, inner)
    acc = np.zeros((len(x), outer, inner), np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for i in range(reduced):
            acc += values[:, :, i]
        mean = acc * np.float32(1 / reduced)
    return clamp_float(mean, op.minimum, op.maximum).reshape(len(x), *layer.output.shape)


def _sizes(op: Mean, layer: Layer) -> tuple[int, int, int]:
    shape = layer.inputs[0].shape
    first, last = op.span(shape)
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])
