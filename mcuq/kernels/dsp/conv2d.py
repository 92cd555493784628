"""Convolutions by SMLAD: two output channels by four pixels at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.kernels.dsp.order import has_short_requantization, pack_channel_fours, pack_channels, pack_fours, pack_pairs
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization
from mcuq.ops.window import Window

PIXELS = 4


@dataclass(frozen=True)
class PointwiseDspConstants(Constants):
    """1x1 convolution without padding, of whole words of channels."""

    template = "dsp/pointwise"

    rows: int
    in_width: int
    out_width: int
    in_channels: int
    out_channels: int
    out_height: int
    in_height: int
    stride_y: int
    stride_x: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class WindowsDspConstants(WindowConstants):
    """Any convolution of one group, of int8 or wider."""

    in_channels: int
    out_channels: int
    x_zero_point: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class Conv2dDspConstants(WindowsDspConstants):
    """Of int8: windows may meet padding, or be gathered tap by tap."""

    template = "dsp/conv2d"

    has_padding: int
    gathers: int


def is_pointwise_dsp(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_pointwise_dsp."""
    window = op.window
    return (
        op.groups == 1
        and window.kernel == (1, 1)
        and window.pads == (0, 0, 0, 0)
        and layer.inputs[0].shape[3] % 4 == 0
        and has_short_requantization(layer)
    )


def is_conv2d_dsp(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_conv2d_dsp."""
    return op.groups == 1 and has_short_requantization(layer)


def lower_pointwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the channels of four pixels as int16."""
    x, y = layer.inputs[0], layer.output
    output_min, output_max = op.output_bounds(y)
    constants = PointwiseDspConstants(
        rows=y.shape[0] * y.shape[1],
        in_height=x.shape[1],
        in_width=x.shape[2],
        out_height=y.shape[1],
        out_width=y.shape[2],
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        stride_y=op.window.strides[0],
        stride_x=op.window.strides[1],
        output_min=output_min,
        output_max=output_max,
    )
    return _call(layer, constants, PIXELS * 2 * x.shape[3])


def lower_conv2d_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the windows of four pixels as int16, then what the template says."""
    x, y = layer.inputs[0], layer.output
    has_words = x.shape[3] % 4 == 0
    has_padding, gathers = op.window.leaves(x, y), not has_words and _has_whole_fours(op.window, x, y)
    output_min, output_max = op.output_bounds(y)
    constants = Conv2dDspConstants(
        **window_constants(op.window, x, y),
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        x_zero_point=x.zero_point,
        has_padding=int(has_padding),
        gathers=int(gathers),
        output_min=output_min,
        output_max=output_max,
    )
    taps_bytes = -(-layer.inputs[1].elements // y.shape[3] // 4) * 4
    # Behind the columns: one tap of padding where taps are whole words; else a word for each tap, which says where it
    # lies, where windows are gathered, and the four windows as int8, where they are not.
    extra_bytes = x.shape[3] if has_words else (4 * gathers + PIXELS * has_padding) * taps_bytes
    return _call(layer, constants, PIXELS * 2 * taps_bytes + extra_bytes)


def _has_whole_fours(window: Window, x: Tensor, y: Tensor) -> bool:
    """Whether there are four pixels of `y` that a kernel takes at a time without padding in any of their windows."""
    starts = [np.arange(y.shape[1 + i]) * window.strides[i] - window.pads[i] for i in range(2)]
    ends = [starts[i] + window.dilations[i] * (window.kernel[i] - 1) for i in range(2)]
    rows, columns = ((starts[i] >= 0) & (ends[i] < x.shape[1 + i]) for i in range(2))
    whole = np.tile(np.outer(rows, columns).reshape(-1), y.shape[0])
    return bool(np.pad(whole, (0, -whole.size % PIXELS), "edge").reshape(-1, PIXELS).all(axis=1).any())


def _call(layer: Layer, constants: Constants, scratch_bytes: int) -> tuple[Call, ...]:
    weight, bias, y = layer.inputs[1], layer.inputs[2], layer.output
    arrays = {
        "weight": pack_pairs(weight.values.reshape(y.shape[3], -1)),
        "channel": pack_channels(bias.values, layer_requantization(layer), y.zero_point),
    }
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer)),)


# What the image of four channels may take; whole images of small layers, bands of a few rows of larger ones.
DEPTHWISE_SCRATCH_BYTES = 4096


@dataclass(frozen=True)
class DepthwiseConv2dDspConstants(Constants):
    """Depthwise convolution without dilation, one output a channel, four channels at a time.

    What are rows here may be columns of the tensors: steps are the distances of rows and of pixels in bytes.
    """

    template = "dsp/depthwise"

    batch: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    channels: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int
    pad_top: int
    pad_left: int
    x_row_step: int
    x_pixel_step: int
    y_row_step: int
    y_pixel_step: int
    band_rows: int
    row_pixels: int
    x_zero_point: int
    output_min: int
    output_max: int


def is_depthwise_dsp(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_depthwise_dsp."""
    return (
        op.is_depthwise(layer)
        and op.window.dilations == (1, 1)
        and op.groups == layer.output.shape[3]
        and has_short_requantization(layer)
    )


def lower_depthwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: weights and padded image (or a band of it) of four channels as int16."""
    x, weight, bias = layer.inputs
    y = layer.output
    sizes = window_constants(op.window, x, y)
    del sizes["dilation_x"], sizes["dilation_y"]
    channels = x.shape[3]
    steps = (x.shape[2] * channels, channels, y.shape[2] * channels, channels)
    taps = weight.values[..., 0]
    swapped = {_with_axes_swapped(name): value for name, value in sizes.items()}
    if _pair_cost(swapped) < _pair_cost(sizes):
        sizes, taps = swapped, taps.transpose(0, 2, 1)
        steps = (steps[1], steps[0], steps[3], steps[2])
    kernel_height, out_height = sizes["kernel_height"], sizes["out_height"]
    row_pixels = (-(-sizes["out_width"] // 2) * 2 - 1) * sizes["stride_x"] + sizes["kernel_width"]
    rows = max(1, (DEPTHWISE_SCRATCH_BYTES // (8 * row_pixels) - kernel_height) // sizes["stride_y"] + 1)
    bands = -(-out_height // min(rows, out_height))
    band_rows = -(-out_height // bands)
    output_min, output_max = op.output_bounds(y)
    constants = DepthwiseConv2dDspConstants(
        **sizes,
        x_row_step=steps[0],
        x_pixel_step=steps[1],
        y_row_step=steps[2],
        y_pixel_step=steps[3],
        channels=channels,
        band_rows=band_rows,
        row_pixels=row_pixels,
        x_zero_point=x.zero_point,
        output_min=output_min,
        output_max=output_max,
    )
    requant = layer_requantization(layer)
    taps = taps.reshape(channels, -1)
    arrays = {
        "weight": pack_fours(taps),
        "channel": pack_channel_fours(bias.values, requant, y.zero_point),
    }
    pixels = taps.shape[1] + ((band_rows - 1) * sizes["stride_y"] + kernel_height) * row_pixels
    return (Call(constants, arrays=arrays, scratch_bytes=8 * pixels, bound=accumulator_bound(layer)),)


def _pair_cost(sizes: dict[str, int]) -> int:
    """About how many instructions all pairs of outputs of four channels take: neighbours of a row make a pair."""
    pairs = sizes["out_height"] * -(-sizes["out_width"] // 2)
    return pairs * (60 + sizes["kernel_height"] * (8 + 16 * sizes["kernel_width"]))


def _with_axes_swapped(name: str) -> str:
    swapped = {"height": "width", "width": "height", "y": "x", "x": "y", "top": "left", "left": "top"}
    stem, _, axis = name.rpartition("_")
    return f"{stem}_{swapped[axis]}" if stem else name
