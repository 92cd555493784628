"""AveragePool of floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.window import CountedConstants, counted_constants, window_constants
from mcuq.ops.average_pool import AveragePool, inverse_counts


@dataclass(frozen=True)
class AveragePoolFloat32Constants(CountedConstants):
    """As AveragePoolConstants, which see."""

    template = "portable/average_pool_float32"
    computes_in_float = True

    meets_padding: int
    minimum: float
    maximum: float


def lower_average_pool_float32(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One inverse for each divisor from the smallest to the largest."""
    x, y = layer.inputs[0], layer.output
    counts = op.counts(layer)
    smallest = int(counts.min())
    constants = AveragePoolFloat32Constants(
        **window_constants(op.window, x, y),
        **counted_constants(op, x),
        smallest_count=smallest,
        meets_padding=int(op.window.leaves(x, y)),
        minimum=float32(op.minimum),
        maximum=float32(op.maximum),
    )
    inverse = inverse_counts(np.arange(smallest, int(counts.max()) + 1))
    return (Call(constants, arrays={"inverse_count": inverse}),)
