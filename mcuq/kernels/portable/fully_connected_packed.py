"""FullyConnected with packed weights on any CPU: blocks of outputs outermost, so that each weight is unpacked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.packed import PackedPartsConstants, block_channels, pack_blocks
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

BLOCK_BYTES = 1024


@dataclass(frozen=True)
class PackedFullyConnectedConstants(RequantizedConstants, PackedPartsConstants):
    """Matrix times rows; scratch: a block of weights."""

    template = "portable/fully_connected_packed"

    rows: int
    in_features: int
    out_features: int


def lower_packed_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay one row an output."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    x, weight, bias = layer.inputs
    blocks = pack_blocks(weight.values, packing, block_channels(weight.shape[0], x.shape[1], BLOCK_BYTES, 2), shift)
    requant = layer_requantization(layer)
    fields: dict[str, Any] = {**requantized(op, requant, layer.output), **blocks.fields, "part": blocks.part}
    constants = PackedFullyConnectedConstants(
        **fields, rows=x.shape[0], in_features=x.shape[1], out_features=weight.shape[0]
    )
    multiplier = np.array(requant.multiplier, np.int32)
    arrays = {"weight": blocks.words, "bias": bias.values, "multiplier": multiplier}
    bound = accumulator_bound(layer)
    return (Call(constants, arrays=arrays, scratch_bytes=blocks.unpacked_bytes, bound=bound),)
