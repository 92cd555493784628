"""Blocks of packed weights in the order in which mcuq_dsp.h reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mcuq.arithmetic.packing import fits, has_codebook, is_of_parts
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.order import pack_channels, pack_fours, pack_pairs
from mcuq.kernels.kernel import Accepts
from mcuq.kernels.packed import PackedBlocks, block_channels, of_whole, pack_blocks
from mcuq.ops.packed_weights import packing_of
from mcuq.ops.weighted import layer_requantization

CHANNELS = 16  # of a block at most: that pixels are expanded again for each block then is a tenth of the work
BLOCK_BYTES = 1024
DEPTHWISE_BLOCK_BYTES = 144  # 16 channels of 3x3


def rows_of(layer: Layer) -> Array:
    """The layer's weights (channels, taps)."""
    weight = layer.inputs[1].values
    return weight.reshape(weight.shape[0], -1)


def block_of(layer: Layer) -> int:
    """Output channels of a block for products of pairs."""
    rows = rows_of(layer)
    return block_channels(len(rows), rows.shape[1], BLOCK_BYTES, 4, CHANNELS)


def depthwise_block_of(layer: Layer) -> int:
    """Channels of a block of a depthwise layer: whole fours."""
    rows = rows_of(layer)
    return -(-block_channels(len(rows), rows.shape[1], DEPTHWISE_BLOCK_BYTES) // 4) * 4


def has_codes_for(layer: Layer, block: int) -> bool:
    """Whether blocks of so many channels can be packed in any order: not where each channel has a codebook of its own,
    or runs of a channel's weights have what others have not."""
    rows, packing = rows_of(layer), packing_of(layer)
    if is_of_parts(packing) and not has_codebook(packing):
        return False
    return all(fits(rows[i : i + block], packing) for i in range(0, len(rows), block))


def packed_in(block: Callable[[Layer], int], accepts: Accepts) -> Accepts:
    """Whether a kernel of whole weights takes the layer once it is unpacked, and its blocks can be packed."""
    of_unpacked = of_whole(accepts)
    return lambda op, layer: of_unpacked(op, layer) and has_codes_for(layer, block(layer))


def pair_blocks(taps: Array, packing: str, shift: int, block: int) -> PackedBlocks:
    """Blocks of `taps` (channels, taps), as pack_blocks takes them, in pairs, as `pack_pairs` has them; filled up with
    their first weight, which meets zeros or makes a channel that is overwritten."""

    def arranged(rows: Array) -> Array:
        filled = np.pad(rows, ((0, len(rows) % 2), (0, -rows.shape[1] % 4)), constant_values=rows.flat[0])
        return pack_pairs(filled).astype("<i4").view(np.int8)

    return pack_blocks(taps, packing, block, shift, arrange=arranged)


def four_blocks(taps: Array, packing: str, shift: int, block: int) -> PackedBlocks:
    """Blocks of `taps` (channels, taps) in fours of channels, filled up likewise."""

    def arranged(rows: Array) -> Array:
        return pack_fours(np.pad(rows, ((0, -len(rows) % 4), (0, 0)), constant_values=rows.flat[0])).reshape(-1)

    return pack_blocks(taps, packing, block, shift, arrange=arranged)


def channel_blocks(layer: Layer, block: int) -> Array:
    """int32: what `pack_channels` gives for each block of channels."""
    requant, bias, zero_point = layer_requantization(layer), layer.inputs[2].values, layer.output.zero_point
    parts = [slice(start, start + block) for start in range(0, len(bias), block)]
    own = [replace(requant, multiplier=requant.multiplier[part]) for part in parts]
    return np.concatenate([pack_channels(bias[p], part, zero_point) for p, part in zip(parts, own, strict=True)])
