"""Average pooling: a multiplier for each divisor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.kernels.window import CountedConstants, counted_constants, window_constants
from mcuq.ops.average_pool import AveragePool


@dataclass(frozen=True)
class AveragePoolConstants(CountedConstants, RequantizedConstants):
    """Portable average pooling; `counted_*` frame the positions that the divisor counts, all of each window that
    stays on the image; others there are where `meets_padding`."""

    template = "portable/average_pool"

    meets_padding: int
    x_zero_point: int


def lower_average_pool(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One multiplier for each divisor from the smallest to the largest."""
    x, y = layer.inputs[0], layer.output
    smallest, requant = op.requantization(layer)
    constants = AveragePoolConstants(
        **window_constants(op.window, x, y),
        **requantized(op, requant, y),
        **counted_constants(op, x),
        smallest_count=smallest,
        meets_padding=int(op.window.leaves(x, y)),
        x_zero_point=x.zero_point,
    )
    arrays = {"multiplier": np.array(requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, bound=op.bound(layer)),)
