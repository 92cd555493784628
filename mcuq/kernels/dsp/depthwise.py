"""Depthwise convolutions by SMLAD: four channels of two pixels at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import DSP, is_short, pack_channel_fours, pack_fours
from mcuq.kernels.dsp.packed_blocks import depthwise_block_of, four_blocks, packed_in
from mcuq.kernels.dsp.pasted import limit, load, width
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment, Kernel
from mcuq.kernels.overwriting import by_channels
from mcuq.kernels.packed import PACKED_CONSTANTS, PackedBlocks, unpack
from mcuq.kernels.window import UndilatedConstants, undilated_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MIXED
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

# What the image of four channels may take; whole images of small layers, bands of a few rows of larger ones.
DEPTHWISE_SCRATCH_BYTES = 4096


@dataclass(frozen=True)
class DepthwiseConv2dDspConstants(UndilatedConstants):
    """Depthwise convolution without dilation, one output a channel, four channels at a time.

    What are rows here may be columns of the tensors: steps are the distances of rows and of pixels in elements. Four
    channels' weights lie at `weights`, where `unpack` has written them if they are packed.
    """

    template = "dsp/depthwise"

    x_type: str
    y_type: str
    weight_type: str
    load: str
    width: str
    weights: str
    channels: int
    x_row_step: int
    x_pixel_step: int
    y_row_step: int
    y_pixel_step: int
    band_rows: int
    row_pixels: int
    x_zero_point: int
    unpacked: Fragment
    unpack: Fragment
    limit: Fragment


def lower_depthwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: weights and padded image (or a band of it) of four channels as int16."""
    x, weight, bias = layer.inputs
    y = layer.output
    sizes = undilated_constants(op.window, x, y)
    channels = x.shape[3]
    steps = (x.shape[2] * channels, channels, y.shape[2] * channels, channels)
    taps = weight.values[..., 0]
    swapped = {_with_axes_swapped(name): value for name, value in sizes.items()}
    is_swapped = _pair_cost(swapped) < _pair_cost(sizes)
    if is_swapped:
        sizes, taps = swapped, taps.transpose(0, 2, 1)
        steps = (steps[1], steps[0], steps[3], steps[2])
    kernel_height, out_height = sizes["kernel_height"], sizes["out_height"]
    row_pixels = (-(-sizes["out_width"] // 2) * 2 - 1) * sizes["stride_x"] + sizes["kernel_width"]
    rows = max(1, (DEPTHWISE_SCRATCH_BYTES // (8 * row_pixels) - kernel_height) // sizes["stride_y"] + 1)
    bands = -(-out_height // min(rows, out_height))
    band_rows = -(-out_height // bands)
    constants = DepthwiseConv2dDspConstants(
        **sizes,
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[y.dtype],
        weight_type="int8_t",
        load=load(x),
        width=width(y),
        weights="weight + oc * taps",
        x_row_step=steps[0],
        x_pixel_step=steps[1],
        y_row_step=steps[2],
        y_pixel_step=steps[3],
        channels=channels,
        band_rows=band_rows,
        row_pixels=row_pixels,
        x_zero_point=x.zero_point,
        unpacked=NOTHING,
        unpack=NOTHING,
        limit=limit(op, layer, "batch * out_height * out_width * channels"),
    )
    requant = layer_requantization(layer)
    taps = taps.reshape(channels, -1)
    arrays = {
        "weight": pack_fours(taps),
        "channel": pack_channel_fours(bias.values, requant, y.zero_point),
    }
    pixels = taps.shape[1] + ((band_rows - 1) * sizes["stride_y"] + kernel_height) * row_pixels
    # Bands of columns read all rows: only where there is one band is all read before anything is written.
    own_rows = y.shape[1] if is_swapped else band_rows
    below = None if is_swapped and bands > 1 else by_channels(op.window, x, y, own_rows)
    return (Call(constants, arrays=arrays, scratch_bytes=8 * pixels, bound=accumulator_bound(layer), below=below),)


@dataclass(frozen=True)
class OnePixelConstants(Constants):
    """Depthwise convolution of a window that is the whole image: one pixel of a multiple of four channels."""

    template = "dsp/depthwise_pixel"

    channels: int
    taps: int
    limit: Fragment


def lower_one_pixel_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Nothing is expanded, as nothing is read twice."""
    _, weight, bias = layer.inputs
    taps = weight.values[..., 0].reshape(len(weight.values), -1)
    constants = OnePixelConstants(len(taps), taps.shape[1], limit(op, layer, "channels"))
    arrays = {
        "weight": pack_fours(taps),
        "channel": pack_channel_fours(bias.values, layer_requantization(layer), layer.output.zero_point),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)


def lower_packed_depthwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_depthwise_dsp, then a block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    (whole,) = lower_depthwise_dsp(op, layer)
    fours = whole.arrays["weight"]  # (fours, taps, 4), in the order of rows and columns that the kernel takes
    taps = fours.transpose(0, 2, 1).reshape(-1, fours.shape[1])[: layer.output.shape[3]]
    blocks = four_blocks(taps, packing, shift, depthwise_block_of(layer))
    assert isinstance(whole.constants, DepthwiseConv2dDspConstants)
    constants = replace(
        whole.constants,
        weight_type="int32_t",
        weights="unpacked + oc % block * taps",
        unpacked=Fragment.of("int8_t *const unpacked = (int8_t *)(image + 2 * band_in_rows * row_pixels);"),
        unpack=_unpack(blocks),
    )
    return (
        replace(
            whole,
            constants=constants,
            arrays={**whole.arrays, "weight": blocks.words},
            scratch_bytes=whole.scratch_bytes + blocks.unpacked_bytes,
        ),
    )


def _unpack(blocks: PackedBlocks) -> Fragment:
    """Unpacks a block where one begins."""
    lines = unpack(blocks, "(left < block ? left : block) * taps", "unpacked", "depthwise_packed")
    text = f"""\
if (oc % block == 0) {{
    const int32_t left = (channels - oc + 3) / 4 * 4;
    {lines.text.replace(chr(10), chr(10) + "    ")}
}}"""
    return replace(lines, text=text).naming(block=blocks.block)


def _pair_cost(sizes: dict[str, int]) -> int:
    """About how many instructions all pairs of outputs of four channels take: neighbours of a row make a pair."""
    pairs = sizes["out_height"] * -(-sizes["out_width"] // 2)
    return pairs * (60 + sizes["kernel_height"] * (8 + 16 * sizes["kernel_width"]))


def _with_axes_swapped(name: str) -> str:
    swapped = {"height": "width", "width": "height", "y": "x", "x": "y", "top": "left", "left": "top"}
    stem, _, axis = name.rpartition("_")
    return f"{stem}_{swapped[axis]}" if stem else name


def _accepts(op: Conv2d, layer: Layer) -> bool:
    return (
        op.is_depthwise(layer)
        and op.window.dilations == (1, 1)
        and op.groups == layer.output.shape[3]
        and is_short(layer)
    )


def _accepts_one_pixel(op: Conv2d, layer: Layer) -> bool:
    x = layer.inputs[0].shape
    is_window = op.window.kernel == x[1:3] and not any(op.window.pads)
    return x[0] == 1 and x[3] % 4 == 0 and is_window and _accepts(op, layer)


ONE_PIXEL_KERNEL = Kernel(lower_one_pixel_dsp, DSP, _accepts_one_pixel)
DEPTHWISE_KERNEL = Kernel(lower_depthwise_dsp, DSP, _accepts, MIXED)
PACKED_DEPTHWISE_KERNEL = Kernel(
    lower_packed_depthwise_dsp, DSP, packed_in(depthwise_block_of, _accepts), constants=PACKED_CONSTANTS
)
