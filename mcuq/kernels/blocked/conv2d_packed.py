"""Conv2d of packed weights for CPUs without SIMD: two products in one multiplication, blocks of channels outermost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.blocked.conv2d import (
    LARGEST_SCRATCH_BYTES,
    LONGEST_GROUP,
    ShortRequantizedConstants,
    accepts_blocked,
    short_requantized,
)
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.packed import PACKED_CONSTANTS, PackedPartsConstants, block_channels, of_whole, pack_blocks
from mcuq.kernels.shifted import with_shifts
from mcuq.kernels.window import window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

CHANNELS = 16  # of a block at most: that pairs of pixels are made again for each block is a sixth of the work then
BLOCK_BYTES = 512


@dataclass(frozen=True)
class PackedBlockedConv2dConstants(ShortRequantizedConstants, PackedPartsConstants):
    """Convolution in one group; `group_taps` products are summed at once. Weights come out as they are, and sums are
    multiplied by 2^weight_shift."""

    template = "blocked/conv2d_packed"

    in_channels: int
    out_channels: int
    x_zero_point: int
    group_taps: int


def accepts_packed_blocked(op: Conv2d, layer: Layer) -> bool:
    """Layers that the kernel of whole weights takes, with room for a block."""
    return of_whole(accepts_blocked)(op, layer) and _scratch_bytes(layer) <= LARGEST_SCRATCH_BYTES


def lower_packed_blocked(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI; each bias is stored for the first and the second of a pair.

    Scratch: four pairs for each tap, a pixel of padding, and a block of weights, in groups and before them.
    """
    whole, shift = whole_weights(layer)
    x, weight, bias = layer.inputs
    rows = _rows(layer)
    blocks = pack_blocks(rows, packing_of(layer), _block(layer))
    group_taps = longest_group(rows)
    fields: dict[str, Any] = {
        **window_constants(op.window, x, layer.output),
        **short_requantized(op, whole),
        **blocks.fields,
    }
    constants = PackedBlockedConv2dConstants(
        **{**fields, "part": blocks.part, "weight_shift": shift},
        in_channels=x.shape[3],
        out_channels=weight.shape[0],
        x_zero_point=x.zero_point,
        group_taps=group_taps,
    )
    second = bias.values.astype(np.int64)
    pairs = np.stack([second - -(-rows.shape[1] // group_taps) * 32768, second], axis=1)
    arrays = {
        "weight": blocks.words,
        "bias": pairs.astype(np.uint32).view(np.int32),
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    bound = accumulator_bound(whole)
    return (Call(constants, arrays=arrays, scratch_bytes=_scratch_bytes(layer), bound=bound),)


def longest_group(weight: Array) -> int:
    """How many neighbouring taps of int8 `weight` (channels, taps) make groups whose sums of weight * x, and all parts
    of them, lie in [-32768, 32767] for all int8 x."""
    w = weight.astype(np.int64)
    high, low = np.maximum(-128 * w, 127 * w), np.minimum(-128 * w, 127 * w)
    length: int = min(LONGEST_GROUP, w.shape[1])
    while True:
        starts = range(0, w.shape[1], length)
        most, least = (np.add.reduceat(terms, starts, axis=1) for terms in (high, low))
        if most.max() <= 32767 and least.min() >= -32768:
            return length
        length -= 1


def _rows(layer: Layer) -> Array:
    weight = layer.inputs[1].values
    return weight.reshape(weight.shape[0], -1)


def _block(layer: Layer) -> int:
    rows = _rows(layer)
    return block_channels(len(rows), rows.shape[1], BLOCK_BYTES, 4, CHANNELS)


def _scratch_bytes(layer: Layer) -> int:
    rows, block = _rows(layer), _block(layer)
    taps: int = rows.shape[1]
    distance = -(-block * (-(-taps // longest_group(rows)) + 1) // 4) * 4
    unpacked_bytes = pack_blocks(rows, packing_of(layer), block).unpacked_bytes
    return 16 * taps + -(-layer.inputs[0].shape[3] // 4) * 4 + distance + unpacked_bytes


PACKED_BLOCKED_KERNELS = tuple(
    Kernel(with_shifts(lower_packed_blocked), frozenset({feature}), accepts_packed_blocked, constants=PACKED_CONSTANTS)
    for feature in ("armv6m", "armv7m")
)
