"""Convolutions of packed weights by SMLAD: the kernels of conv2d.py on blocks of channels, unpacked first."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.conv2d import (
    Conv2dDspConstants,
    DepthwiseConv2dDspConstants,
    PointwiseDspConstants,
    is_conv2d_dsp,
    is_depthwise_dsp,
    is_pointwise_dsp,
    lower_conv2d_dsp,
    lower_depthwise_dsp,
    lower_pointwise_dsp,
)
from mcuq.kernels.dsp.packed_blocks import (
    block_of,
    channel_blocks,
    depthwise_block_of,
    four_blocks,
    has_codes_for,
    pair_blocks,
    rows_of,
)
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.packed import PACKED_CONSTANTS, PackedConstants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.packed_weights import packing_of, whole_weights


@dataclass(frozen=True)
class PackedPointwiseDspConstants(PointwiseDspConstants, PackedConstants):
    """1x1 convolution without padding, of whole words of channels."""

    template = "dsp/pointwise_packed"


@dataclass(frozen=True)
class PackedConv2dDspConstants(Conv2dDspConstants, PackedConstants):
    """Any convolution of one group."""

    template = "dsp/conv2d_packed"


@dataclass(frozen=True)
class PackedDepthwiseDspConstants(DepthwiseConv2dDspConstants, PackedConstants):
    """Depthwise convolution as DepthwiseConv2dDspConstants has it."""

    template = "dsp/depthwise_packed"


def lower_packed_pointwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_pointwise_dsp, then a block."""
    layer, shift, packing = _whole(layer)
    (whole,) = lower_pointwise_dsp(op, layer)
    blocks = pair_blocks(rows_of(layer), packing, shift, block_of(layer))
    constants = PackedPointwiseDspConstants(**blocks.fields, **vars(whole.constants))
    arrays = {"weight": blocks.words, "channel": channel_blocks(layer, blocks.block)}
    return _call(constants, arrays, whole, blocks.unpacked_bytes)


def lower_packed_conv2d_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_conv2d_dsp, then a block."""
    layer, shift, packing = _whole(layer)
    (whole,) = lower_conv2d_dsp(op, layer)
    blocks = pair_blocks(rows_of(layer), packing, shift, block_of(layer))
    constants = PackedConv2dDspConstants(**blocks.fields, **vars(whole.constants))
    arrays = {"weight": blocks.words, "channel": channel_blocks(layer, blocks.block)}
    return _call(constants, arrays, whole, blocks.unpacked_bytes)


def lower_packed_depthwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_depthwise_dsp, then a block."""
    layer, shift, packing = _whole(layer)
    (whole,) = lower_depthwise_dsp(op, layer)
    fours = whole.arrays["weight"]  # (fours, taps, 4), in the order of rows and columns that the kernel takes
    taps = fours.transpose(0, 2, 1).reshape(-1, fours.shape[1])[: layer.output.shape[3]]
    blocks = four_blocks(taps, packing, shift, depthwise_block_of(layer))
    constants = PackedDepthwiseDspConstants(**blocks.fields, **vars(whole.constants))
    return _call(constants, {**whole.arrays, "weight": blocks.words}, whole, blocks.unpacked_bytes)


def _whole(layer: Layer) -> tuple[Layer, int, str]:
    return (*whole_weights(layer), packing_of(layer))


def _call(constants: Constants, arrays: dict[str, Array], whole: Call, unpacked_bytes: int) -> tuple[Call, ...]:
    return (Call(constants, arrays=arrays, scratch_bytes=whole.scratch_bytes + unpacked_bytes, bound=whole.bound),)


def _accepts_pointwise(op: Conv2d, layer: Layer) -> bool:
    return is_pointwise_dsp(op, whole_weights(layer)[0]) and has_codes_for(layer, block_of(layer))


def _accepts_conv2d(op: Conv2d, layer: Layer) -> bool:
    return is_conv2d_dsp(op, whole_weights(layer)[0]) and has_codes_for(layer, block_of(layer))


def _accepts_depthwise(op: Conv2d, layer: Layer) -> bool:
    return is_depthwise_dsp(op, whole_weights(layer)[0]) and has_codes_for(layer, depthwise_block_of(layer))


_DSP = frozenset({"dsp"})
PACKED_DSP_KERNELS = (
    Kernel(lower_packed_depthwise_dsp, _DSP, _accepts_depthwise, constants=PACKED_CONSTANTS),
    Kernel(lower_packed_pointwise_dsp, _DSP, _accepts_pointwise, constants=PACKED_CONSTANTS),
    Kernel(lower_packed_conv2d_dsp, _DSP, _accepts_conv2d, constants=PACKED_CONSTANTS),
)
