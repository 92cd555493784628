"""Portable AveragePool of which input or output, or both, have 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import S16Constants, requantized_s16
from mcuq.kernels.window import CountedConstants, counted_constants, window_constants
from mcuq.ops.average_pool import AveragePool


@dataclass(frozen=True)
class AveragePoolS16Constants(CountedConstants, S16Constants):
    """As AveragePoolConstants."""

    template = "portable/average_pool_s16"

    meets_padding: int
    x_zero_point: int


def lower_average_pool_s16(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """As lower_average_pool."""
    x, y = layer.inputs[0], layer.output
    smallest, requant = op.requantization(layer)
    constants = AveragePoolS16Constants(
        **{
            **window_constants(op.window, x, y),
            **requantized_s16(op, layer, requant, op.bound(layer)),
            **counted_constants(op, x),
        },
        smallest_count=smallest,
        meets_padding=int(op.window.leaves(x, y)),
        x_zero_point=x.zero_point,
    )
    arrays = {"multiplier": np.array(requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, bound=op.bound(layer)),)
