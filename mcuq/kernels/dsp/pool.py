"""Pooling of four channels at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.kernels.window import CountedConstants, WindowConstants, counted_constants, window_constants
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.max_pool import MaxPool

# 256 * -128 is the least that 16 bits hold.
MOST_TAPS = 256


@dataclass(frozen=True)
class AveragePoolDspConstants(CountedConstants, RequantizedConstants):
    """Windows of at most MOST_TAPS; `counted_*` frame the positions that the divisor counts."""

    template = "dsp/average_pool"

    x_zero_point: int


@dataclass(frozen=True)
class MaxPoolDspConstants(WindowConstants):
    """The window is cut at the border."""

    template = "dsp/max_pool"

    channels: int


def is_average_pool_dsp(op: AveragePool, layer: Layer) -> bool:
    """Layers of lower_average_pool_dsp: at least one whole word of channels, and sums that 16 bits hold."""
    height, width = op.window.kernel
    return height * width <= MOST_TAPS and op.window.dilations == (1, 1) and layer.output.shape[3] >= 4


def lower_average_pool_dsp(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One multiplier for each divisor from the smallest to the largest."""
    x, y = layer.inputs[0], layer.output
    smallest, requant = op.requantization(layer)
    constants = AveragePoolDspConstants(
        **window_constants(op.window, x, y),
        **requantized(op, requant, y),
        **counted_constants(op, x),
        smallest_count=smallest,
        x_zero_point=x.zero_point,
    )
    return (Call(constants, arrays={"multiplier": np.array(requant.multiplier, np.int32)}, bound=op.bound(layer)),)


def is_max_pool_dsp(op: MaxPool, layer: Layer) -> bool:
    """Layers of lower_max_pool_dsp: at least one whole word of channels."""
    return op.window.dilations == (1, 1) and layer.output.shape[3] >= 4


def lower_max_pool_dsp(op: MaxPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    x, y = layer.inputs[0], layer.output
    return (Call(MaxPoolDspConstants(**window_constants(op.window, x, y), channels=x.shape[3])),)
