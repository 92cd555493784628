"""FullyConnected for CPUs without SIMD: 4 rows of weights at a time, or 8 that lie together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.operator import Call, Constants, Layer
from mcuq.ops.conv2d_blocked import short_requantized, takes_short_requantization
from mcuq.ops.weighted import accumulator_bound, layer_requantization
from mcuq.tensor import Array

if TYPE_CHECKING:
    from mcuq.ops.fully_connected import FullyConnected

BLOCK = 8


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


class BlockedFullyConnectedConstants(Armv6mFullyConnectedConstants):
    """Matrix times vector, eight outputs at a time."""

    template = "fully_connected_blocked"


def accepts_blocked_fully_connected(op: FullyConnected, layer: Layer) -> bool:
    """Whether mcuq_requantize_short will do."""
    return takes_short_requantization(layer)


def lower_armv6m_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are."""
    return _lower(op, layer, Armv6mFullyConnectedConstants, layer.inputs[1].values)


def lower_blocked_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights (O, I) become (O / 8, I, 8), rounded up."""
    weight = layer.inputs[1].values
    padded = np.pad(weight, ((0, -len(weight) % BLOCK), (0, 0)))
    return _lower(
        op, layer, BlockedFullyConnectedConstants, padded.reshape(-1, BLOCK, weight.shape[1]).transpose(0, 2, 1)
    )


def _lower(
    op: FullyConnected, layer: Layer, kind: type[Armv6mFullyConnectedConstants], weight: Array
) -> tuple[Call, ...]:
    x, y = layer.inputs[0], layer.output
    constants = kind(**short_requantized(op, layer), rows=x.shape[0], in_features=x.shape[1], out_features=y.shape[1])
    arrays = {
        "weight": weight,
        "bias": layer.inputs[2].values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)
