"""Conv2d with packed weights on any CPU: blocks of channels outermost, so that each weight is unpacked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.packed import PackedBlocks, PackedPartsConstants, block_channels, pack_blocks
from mcuq.kernels.portable.conv2d import GroupedConstants, grouped_constants
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

BLOCK_BYTES, DEPTHWISE_BLOCK_BYTES = 1024, 256


@dataclass(frozen=True)
class _PackedConvolutionConstants(GroupedConstants, RequantizedConstants, PackedPartsConstants):
    x_zero_point: int


@dataclass(frozen=True)
class PackedConv2dConstants(_PackedConvolutionConstants):
    """Convolution in any groups; scratch: `unpacked_bytes` of weights, then one window of a group as int16."""

    template = "portable/conv2d_packed"

    unpacked_bytes: int


@dataclass(frozen=True)
class PackedDepthwiseConstants(_PackedConvolutionConstants):
    """Depthwise convolution; `x_zero_point` is taken off each input."""

    template = "portable/depthwise_packed"


def lower_packed(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    x, weight, bias = layer.inputs
    rows = weight.values.reshape(weight.shape[0], -1)
    outputs, taps = weight.shape[0] // op.groups, rows.shape[1]
    blocks = pack_blocks(rows, packing, block_channels(outputs, taps, BLOCK_BYTES), shift, outputs)
    constants = PackedConv2dConstants(
        **_constants(op, layer, blocks), x_zero_point=x.zero_point, unpacked_bytes=-(-blocks.unpacked_bytes // 4) * 4
    )
    return _call(constants, layer, blocks, bias.values, constants.unpacked_bytes + 2 * taps)


def lower_packed_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHW; the bias is the one before the input's zero point was folded into it, as in the kernel of
    int8 weights: `lower_depthwise`."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    x, weight, bias = layer.inputs
    rows = weight.values.reshape(weight.shape[0], -1)
    blocks = pack_blocks(rows, packing, block_channels(*rows.shape, DEPTHWISE_BLOCK_BYTES), shift)
    zero_point = x.zero_point if op.window.leaves(x, layer.output) else 0
    unfolded = (bias.values + zero_point * rows.sum(axis=1, dtype=np.int64)).astype(np.int32)
    constants = PackedDepthwiseConstants(**_constants(op, layer, blocks), x_zero_point=zero_point)
    return _call(constants, layer, blocks, unfolded, blocks.unpacked_bytes)


def _constants(op: Conv2d, layer: Layer, blocks: PackedBlocks) -> dict[str, Any]:
    return {
        **grouped_constants(op, layer),
        **requantized(op, layer_requantization(layer), layer.output),
        **blocks.fields,
        "part": blocks.part,
    }


def _call(
    constants: Constants, layer: Layer, blocks: PackedBlocks, bias: Array, scratch_bytes: int
) -> tuple[Call, ...]:
    multiplier = np.array(layer_requantization(layer).multiplier, np.int32)
    arrays = {"weight": blocks.words, "bias": bias, "multiplier": multiplier}
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer)),)
