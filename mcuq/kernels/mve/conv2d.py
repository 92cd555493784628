"""Convolution for Armv8.1-M with MVE: the kernels of Conv2d that need it, and those of packed weights, which unpack a
block of channels at a time."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import pointers
from mcuq.kernels.kernel import Call, Constants, Fragment, Kernel
from mcuq.kernels.mve.image import Conv2dMveConstants, image_constants
from mcuq.kernels.mve.pixels import (
    accepts_conv2d_pixels,
    accepts_conv2d_windows,
    accepts_pixels,
    lower_conv2d_pixels,
    lower_conv2d_windows,
    lower_pixels,
)
from mcuq.kernels.mve.requantized import (
    LANES,
    MVE,
    has_one_high_word,
    in_groups,
    interleaved,
    requantized_mve,
    sums_bytes,
)
from mcuq.kernels.overwriting import Below, by_matrix_rows, by_pixels
from mcuq.kernels.packed import (
    PACKED_CONSTANTS,
    PackedBlocks,
    Weights,
    block_channels,
    of_whole,
    pack_blocks,
    unpack_parts,
)
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound, layer_requantization

PIXELS = 3  # that share each load of weights
BLOCK_BYTES = 1024


@dataclass(frozen=True)
class PointwiseMveConstants(Constants):
    """A window of one pixel, without stride or padding: the image is one row of pixels.

    `arrays`, `memory`, `start` and `products` are as Conv2dMveConstants has them.
    """

    template = "mve/pointwise"

    arrays: str
    pixels: int
    in_channels: int
    out_channels: int
    block: int
    memory: Fragment
    start: Fragment
    products: Fragment


def accepts_conv2d(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_conv2d."""
    return op.groups == 1 and op.window.dilations == (1, 1) and has_one_high_word(layer_requantization(layer))


def accepts_pointwise(op: Conv2d, layer: Layer) -> bool:
    """Layers of lower_pointwise."""
    window = op.window
    is_pointwise = window.kernel == (1, 1) and window.strides == (1, 1) and window.pads == (0, 0, 0, 0)
    return is_pointwise and accepts_conv2d(op, layer)


def lower_pointwise(op: Clamped, layer: Layer) -> tuple[Call, ...]:
    """A product of a matrix of weights, OHWI, with each row of x: pixels or rows with their channels last."""
    return _pointwise(op, layer, Weights(layer.output.shape[-1]), layer.inputs[1].values, 0)


def lower_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI; scratch also holds the windows of three pixels."""
    return _conv2d(op, layer, Weights(layer.output.shape[3]), layer.inputs[1].values, 0)


def lower_packed_pointwise(op: Clamped, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums of a block's channels, then the block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    blocks = _blocks(layer, packing, shift)
    unpacked = Fragment.of("int8_t *const unpacked = scratch + (block + 15) / 16 * 256;")
    unpack = unpack_parts(blocks, "channels", "in_channels", "pointwise_packed")
    weights = Weights(blocks.block, "unpacked", unpacked, unpack)
    return _pointwise(op, layer, weights, blocks.words, blocks.unpacked_bytes)


def lower_packed_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums of a block's channels, three windows, then the block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    blocks = _blocks(layer, packing, shift)
    unpacked = Fragment.of("int8_t *const unpacked = columns + (3 * taps + 3) / 4 * 4;")
    unpack = unpack_parts(blocks, "channels", "taps", "conv2d_packed")
    weights = Weights(blocks.block, "unpacked", unpacked, unpack)
    windows_bytes = PIXELS * (layer.inputs[1].elements // layer.output.shape[3])
    return _conv2d(op, layer, weights, blocks.words, -(-windows_bytes // 4) * 4 - windows_bytes + blocks.unpacked_bytes)


def _blocks(layer: Layer, packing: str, shift: int) -> PackedBlocks:
    weight = layer.inputs[1].values
    rows = weight.reshape(len(weight), -1)
    return pack_blocks(rows, packing, block_channels(*rows.shape, BLOCK_BYTES, LANES), shift)


def _pointwise(op: Clamped, layer: Layer, weights: Weights, weight: Array, more_bytes: int) -> tuple[Call, ...]:
    x, y = layer.inputs[0], layer.output
    constants = PointwiseMveConstants(
        arrays=_arrays(weight),
        pixels=x.elements // x.shape[-1],
        in_channels=x.shape[-1],
        out_channels=y.shape[-1],
        block=weights.block,
        memory=_SUMS.followed_by(weights.unpacked),
        start=_start(weights),
        products=_products(op, layer, "x0", "in_channels", weights.rows),
    )
    below = by_matrix_rows(x, y, PIXELS) if weights.block >= y.shape[-1] else None
    return _call(layer, constants, weight, sums_bytes(weights.block) + more_bytes, below)


def _conv2d(op: Conv2d, layer: Layer, weights: Weights, weight: Array, more_bytes: int) -> tuple[Call, ...]:
    columns = Fragment.of("int8_t *const columns = scratch + (block + 15) / 16 * 256;")
    constants = Conv2dMveConstants(
        **image_constants(op, layer),
        arrays=_arrays(weight),
        block=weights.block,
        memory=_SUMS.followed_by(columns).followed_by(weights.unpacked),
        start=_start(weights),
        products=_products(op, layer, "columns", "taps", weights.rows),
    )
    taps = layer.inputs[1].elements // layer.output.shape[3]
    below = by_pixels(op.window, layer.inputs[0], layer.output) if weights.block >= layer.output.shape[3] else None
    return _call(layer, constants, weight, sums_bytes(weights.block) + PIXELS * taps + more_bytes, below)


_SUMS = Fragment.of("int32_t *const sums = (int32_t *)(void *)scratch;")


def _start(weights: Weights) -> Fragment:
    pairs = Fragment.of("const int32_t pairs = channels / 2, is_odd = channels % 2;")
    sums = Fragment.of("mcuq_mve_start_sums(sums, bias + first, pairs + is_odd);", "mcuq_mve_start_sums")
    return pairs.followed_by(weights.unpack).followed_by(sums)


def _products(op: Clamped, layer: Layer, x: str, taps: str, weights: str) -> Fragment:
    """Writes `channels` of `left` pixels, up to three of them, `taps` behind each other at `x`, to `out`."""
    text = f"""\
const int8_t *const x1 = left > 1 ? {x} + {taps} : {x};
const int8_t *const x2 = left > 2 ? {x} + 2 * {taps} : {x};
if (pairs > 0)
    mcuq_mve_dot({x}, x1, x2, {weights}, {taps}, {taps}, pairs, sums);
if (is_odd)
    mcuq_mve_dot({x}, x1, x2, {weights} + 2 * pairs * {taps}, 0, {taps}, 1, sums + 8 * pairs);
mcuq_mve_requantize_sums(sums, multiplier + first, channels, left, shift, y_zero_point, output_min, output_max, \
out_channels, out);"""
    return Fragment.of(text, "mcuq_mve_dot", "mcuq_mve_requantize_sums", numbers=requantized_mve(op, layer))


def _arrays(weight: Array) -> str:
    return pointers({"weight": weight.dtype.name, "bias": "int32", "multiplier": "int32"}).rstrip()


def _call(
    layer: Layer, constants: Constants, weight: Array, scratch_bytes: int, below: Below | None
) -> tuple[Call, ...]:
    arrays = {
        "weight": weight,
        "bias": in_groups(layer.inputs[2].values, 2),
        "multiplier": interleaved(layer_requantization(layer).multiplier),
    }
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer), below=below),)


def _accepts_rows(op: FullyConnected, layer: Layer) -> bool:
    return has_one_high_word(layer_requantization(layer))


CONV2D_KERNELS = (
    Kernel(lower_pixels, MVE, accepts_pixels),
    Kernel(lower_conv2d_pixels, MVE, accepts_conv2d_pixels),
    Kernel(lower_conv2d_windows, MVE, accepts_conv2d_windows),
    Kernel(lower_pointwise, MVE, accepts_pointwise),
    Kernel(lower_conv2d, MVE, accepts_conv2d),
)
PACKED_CONV2D_KERNELS = (
    Kernel(lower_packed_pointwise, MVE, of_whole(accepts_pointwise), constants=PACKED_CONSTANTS),
    Kernel(lower_packed_conv2d, MVE, of_whole(accepts_conv2d), constants=PACKED_CONSTANTS),
)
PACKED_FULLY_CONNECTED_KERNELS = (
    Kernel(lower_packed_pointwise, MVE, of_whole(_accepts_rows), constants=PACKED_CONSTANTS),
)
