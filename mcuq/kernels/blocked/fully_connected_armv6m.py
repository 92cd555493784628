"""FullyConnected for Cortex-M0 and M0+: four outputs at a time from four rows of weights (mcuq_pairs.h)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.blocked.conv2d import short_requantized, takes_short_requantization
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.packed import PackedPartsConstants, block_channels, pack_blocks
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

BLOCK_BYTES = 1024


@dataclass(frozen=True)
class Armv6mFullyConnectedConstants(Constants):
    """Matrix times vector, four outputs at a time from four rows."""

    template = "blocked/fully_connected_armv6m"

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


@dataclass(frozen=True)
class PackedArmv6mFullyConnectedConstants(Armv6mFullyConnectedConstants, PackedPartsConstants):
    """The same with packed weights; scratch: a block of them."""

    template = "blocked/fully_connected_packed_armv6m"


def accepts_packed(op: FullyConnected, layer: Layer) -> bool:
    """Layers of lower_packed_armv6m."""
    return accepts_short_requantization(op, whole_weights(layer)[0])


def lower_packed_armv6m(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay one row an output."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    (whole,) = lower_armv6m_fully_connected(op, layer)
    weight = layer.inputs[1].values
    blocks = pack_blocks(weight, packing, block_channels(len(weight), weight.shape[1], BLOCK_BYTES), shift)
    own = {f.name: getattr(whole.constants, f.name) for f in fields(whole.constants)}
    constants = PackedArmv6mFullyConnectedConstants(**own, **blocks.fields, part=blocks.part)
    return (
        replace(
            whole,
            constants=constants,
            arrays={**whole.arrays, "weight": blocks.words},
            scratch_bytes=blocks.unpacked_bytes,
        ),
    )
