"""FullyConnected for Cortex-M0 and M0+: four outputs at a time from four rows of weights (firmware/mcuq_pairs.h)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.operator import Call, Constants, Layer
from mcuq.ops.conv2d_blocked import short_requantized, takes_short_requantization
from mcuq.ops.weighted import accumulator_bound, layer_requantization

if TYPE_CHECKING:
    from mcuq.ops.fully_connected import FullyConnected


@dataclass(frozen=True)
class Armv6mFullyConnectedConstants(Constants):
    """Matrix times vector, four outputs at a time from four rows."""

    template = "fully_connected_armv6m"

    rows: int
    in_features: int
    out_features: int
    y_zero_point: int
    is_narrow: int
    shift: int
    output_min: int
    output_max: int


def accepts_short_requantization(op: FullyConnected, layer: Layer) -> bool:
    """Whether mcuq_requantize_short will do."""
    return takes_short_requantization(layer)


def lower_armv6m_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are."""
    x, weight, bias = layer.inputs
    constants = Armv6mFullyConnectedConstants(
        **short_requantized(op, layer), rows=x.shape[0], in_features=x.shape[1], out_features=weight.shape[0]
    )
    arrays = {
        "weight": weight.values,
        "bias": bias.values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)
