"""FullyConnected for Cortex-M0 and M0+: four outputs at a time from four rows of weights (mcuq_pairs.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.blocked.conv2d import short_requantized, takes_short_requantization
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.packed import Weights, block_channels, pack_blocks, unpack_parts
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

BLOCK_BYTES = 1024


@dataclass(frozen=True)
class Armv6mFullyConnectedConstants(Constants):
    """Matrix times vector, four outputs at a time from four rows; `scratch` is that parameter of C, if any."""

    template = "blocked/fully_connected_armv6m"

    weight_type: str
    scratch: str
    weights: str
    rows: int
    in_features: int
    out_features: int
    y_zero_point: int
    is_narrow: int
    shift: int
    output_min: int
    output_max: int
    block: int
    unpacked: Fragment
    unpack: Fragment


def accepts_short_requantization(op: FullyConnected, layer: Layer) -> bool:
    """Whether mcuq_requantize_short will do."""
    return takes_short_requantization(layer)


def lower_armv6m_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are."""
    return _call(op, layer, Weights(layer.output.shape[1]), layer.inputs[1].values, 0)


def lower_packed_armv6m(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay one row an output; scratch: a block of them."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    weight = layer.inputs[1].values
    blocks = pack_blocks(weight, packing, block_channels(len(weight), weight.shape[1], BLOCK_BYTES), shift)
    unpacked = Fragment.of("int8_t *const unpacked = scratch;")
    unpack = unpack_parts(blocks, "outputs", "in_features", "fully_connected_packed_armv6m")
    weights = Weights(blocks.block, "unpacked", unpacked, unpack)
    return _call(op, layer, weights, blocks.words, blocks.unpacked_bytes)


def _call(op: FullyConnected, layer: Layer, weights: Weights, weight: Array, scratch_bytes: int) -> tuple[Call, ...]:
    x, bias = layer.inputs[0], layer.inputs[2]
    constants = Armv6mFullyConnectedConstants(
        weight_type=C_TYPES[weight.dtype.name],
        scratch="int8_t *scratch, " if scratch_bytes else "",
        weights=weights.rows,
        **short_requantized(op, layer),
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=layer.output.shape[1],
        block=weights.block,
        unpacked=weights.unpacked,
        unpack=weights.unpack,
    )
    arrays = {
        "weight": weight,
        "bias": bias.values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer)),)
