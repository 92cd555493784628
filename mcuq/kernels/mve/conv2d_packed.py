"""Packed weights for Armv8.1-M with MVE: the kernels of conv2d.py on blocks of channels that are unpacked first."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mcuq.graph.operator import Clamped, Layer
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.mve.conv2d import (
    Conv2dMveConstants,
    PointwiseMveConstants,
    accepts_conv2d,
    accepts_pointwise,
    lower_conv2d,
    pointwise_call,
)
from mcuq.kernels.mve.requantized import LANES, MVE, has_one_high_word, sums_bytes
from mcuq.kernels.packed import PACKED_CONSTANTS, PackedBlocks, PackedPartsConstants, block_channels, pack_blocks
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import layer_requantization

BLOCK_BYTES = 1024


@dataclass(frozen=True)
class PackedPointwiseMveConstants(PointwiseMveConstants, PackedPartsConstants):
    """A window of one pixel, or rows of a fully connected layer; blocks of whole vectors of multipliers."""

    template = "mve/pointwise_packed"


@dataclass(frozen=True)
class PackedConv2dMveConstants(Conv2dMveConstants, PackedPartsConstants):
    """Any window without dilation, one group."""

    template = "mve/conv2d_packed"


def lower_packed_pointwise(op: Clamped, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums of a block's channels, then the block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    (whole,) = pointwise_call(op, layer)
    blocks = _blocks(layer, packing, shift)
    return _call(PackedPointwiseMveConstants(**_fields(whole, blocks)), whole, blocks, 0)


def lower_packed_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums of a block's channels, three windows, then the block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    (whole,) = lower_conv2d(op, layer)
    blocks = _blocks(layer, packing, shift)
    windows_bytes = whole.scratch_bytes - sums_bytes(layer.output.shape[3])
    return _call(PackedConv2dMveConstants(**_fields(whole, blocks)), whole, blocks, -(-windows_bytes // 4) * 4)


def _blocks(layer: Layer, packing: str, shift: int) -> PackedBlocks:
    weight = layer.inputs[1].values
    rows = weight.reshape(len(weight), -1)
    return pack_blocks(rows, packing, block_channels(*rows.shape, BLOCK_BYTES, LANES), shift)


def _fields(whole: Call, blocks: PackedBlocks) -> dict[str, Any]:
    own = {f.name: getattr(whole.constants, f.name) for f in fields(whole.constants)}
    return {**own, **blocks.fields, "part": blocks.part}


def _call(constants: Constants, whole: Call, blocks: PackedBlocks, windows_bytes: int) -> tuple[Call, ...]:
    arrays = {**whole.arrays, "weight": blocks.words}
    scratch_bytes = sums_bytes(blocks.block) + windows_bytes + blocks.unpacked_bytes
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=whole.bound),)


def _accepts_pointwise(op: Conv2d, layer: Layer) -> bool:
    return accepts_pointwise(op, whole_weights(layer)[0])


def _accepts_conv2d(op: Conv2d, layer: Layer) -> bool:
    return accepts_conv2d(op, whole_weights(layer)[0])


def _accepts_rows(op: FullyConnected, layer: Layer) -> bool:
    return has_one_high_word(layer_requantization(whole_weights(layer)[0]))


PACKED_CONV2D_KERNELS = (
    Kernel(lower_packed_pointwise, MVE, _accepts_pointwise, constants=PACKED_CONSTANTS),
    Kernel(lower_packed_conv2d, MVE, _accepts_conv2d, constants=PACKED_CONSTANTS),
)
PACKED_FULLY_CONNECTED_KERNELS = (Kernel(lower_packed_pointwise, MVE, _accepts_rows, constants=PACKED_CONSTANTS),)
