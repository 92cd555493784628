"""AveragePool of floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, float32
from mcuq.graph.operator import Call, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.pool import counted_constants
from mcuq.ops.window import WindowConstants, window_constants

if TYPE_CHECKING:
    from mcuq.ops.average_pool import AveragePool


@dataclass(frozen=True)
class AveragePoolFloatConstants(WindowConstants):
    """As AveragePoolConstants, which see."""

    template = "average_pool_float"
    computes_in_float = True

    channels: int
    counted_top: int
    counted_left: int
    counted_bottom: int
    counted_right: int
    smallest_count: int
    meets_padding: int
    minimum: float
    maximum: float


def lower_average_pool_float(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One inverse for each divisor from the smallest to the largest."""
    x, y = layer.inputs[0], layer.output
    counts = op.counts(layer)
    smallest = int(counts.min())
    constants = AveragePoolFloatConstants(
        **window_constants(op.window, x, y),
        **counted_constants(op, x),
        smallest_count=smallest,
        meets_padding=int(op.window.leaves(x, y)),
        minimum=float32(op.minimum),
        maximum=float32(op.maximum),
    )
    inverse = _inverse(np.arange(smallest, int(counts.max()) + 1))
    return (Call(constants, arrays={"inverse_count": inverse}),)


def simulate_average_pool_float(op: AveragePool, layer: Layer, x: Array) -> Array:
    """0 + x for each tap on the image, in the order ky, kx, times 1 / count rounded to float32."""
    images = x.reshape(-1, *layer.inputs[0].shape[1:])
    acc = np.zeros((len(images), *layer.output.shape[1:]), np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for taps, region in op.window.taps(images, acc):
            region += taps
        mean = acc * _inverse(op.counts(layer))[..., None]
    return clamp_float(mean, op.minimum, op.maximum).reshape(*x.shape[:2], *layer.output.shape[1:])


def _inverse(counts: Array) -> Array:
    return (1 / counts).astype(np.float32)
