"""Convolution for Armv8.1-M with MVE whose sums become int8 without a way through memory, clamped to int8 alone:
the lanes of a vector are pixels, hence the name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import pointers
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment
from mcuq.kernels.mve.image import Conv2dMveConstants, ImageConstants, image_constants
from mcuq.kernels.mve.requantized import LANES, has_one_high_word
from mcuq.kernels.overwriting import by_pixels
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

_CHANNELS = 4  # of a block
_ORDER = (0, 2, 1, 3)  # in which VMOV fills the lanes of a vector, two at a time
_WINDOW_BYTES = 32
_UNROLLED = (64, 128)  # taps for which mcuq_mve_dot is faster
_WINDOWS = 16  # that are copied before their products are made


@dataclass(frozen=True)
class _PixelsConstants(Constants):
    """Clamped to int8 alone."""

    y_zero_point: int
    shift: int


@dataclass(frozen=True)
class PixelsMveConstants(_PixelsConstants):
    """A window of one pixel, without padding: `rows` of each image are read, x_row bytes apart, and of each `pixels`,
    x_step bytes apart. Without stride all images are one row."""

    template = "mve/pointwise_pixels"

    batch: int
    image_bytes: int
    rows: int
    x_row: int
    pixels: int
    x_step: int
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class Conv2dPixelsMveConstants(ImageConstants, _PixelsConstants):
    """A window of up to 32 taps in rows of up to 16; `windows` are copied at a time."""

    template = "mve/conv2d_pixels"

    windows: int


def _taps(layer: Layer) -> int:
    weight = layer.inputs[1]
    return weight.elements // weight.shape[0]


def _pixels_at_once(layer: Layer) -> int:
    """How many pixels share each load of weights of up to 32 taps; with more, any number can be left."""
    taps = _taps(layer)
    return 3 if taps <= LANES else 2 if taps <= 2 * LANES else 1


def _accepts(op: Conv2d, layer: Layer) -> bool:
    return (
        op.groups == 1
        and op.window.dilations == (1, 1)
        and _taps(layer) not in _UNROLLED
        and layer.output.shape[3] >= _CHANNELS
        and op.output_bounds(layer.output) == (-128, 127)
        and has_one_high_word(layer_requantization(layer))
    )


def accepts_pixels(op: Conv2d, layer: Layer) -> bool:
    """A window of one pixel, and enough pixels side by side."""
    is_one_pixel = op.window.kernel == (1, 1) and op.window.pads == (0, 0, 0, 0)
    return is_one_pixel and _accepts(op, layer) and _rows(op, layer)["pixels"] >= _pixels_at_once(layer)


def _rows(op: Conv2d, layer: Layer) -> dict[str, int]:
    """Where PixelsMveConstants finds pixels."""
    batch, height, width, channels = layer.inputs[0].shape
    if op.window.strides == (1, 1):
        pixels = batch * height * width
        whole = {"batch": 1, "image_bytes": pixels * channels, "rows": 1, "x_row": pixels * channels}
        return {**whole, "pixels": pixels, "x_step": channels}
    stride_y, stride_x = op.window.strides
    return {
        "batch": batch,
        "image_bytes": height * width * channels,
        "rows": layer.output.shape[1],
        "x_row": stride_y * width * channels,
        "pixels": layer.output.shape[2],
        "x_step": stride_x * channels,
    }


def accepts_conv2d_pixels(op: Conv2d, layer: Layer) -> bool:
    """A window whose rows a vector holds, and enough outputs side by side."""
    weight = layer.inputs[1].shape
    is_small = weight[2] * weight[3] <= LANES and _taps(layer) <= 2 * LANES
    return is_small and layer.output.shape[2] >= _pixels_at_once(layer) and _accepts(op, layer)


def lower_pixels(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become blocks of four channels with their biases and multipliers."""
    x, y = layer.inputs[0], layer.output
    constants = PixelsMveConstants(
        **_requantized(layer),
        **_rows(op, layer),
        in_channels=x.shape[3],
        out_channels=y.shape[3],
    )
    return _call(op, layer, constants)


def accepts_conv2d_windows(op: Conv2d, layer: Layer) -> bool:
    """More than 32 taps, and enough channels for a block."""
    return _taps(layer) > 2 * LANES and _accepts(op, layer)


def lower_conv2d_pixels(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights as for one pixel; scratch holds windows of equal parts of a row of outputs."""
    columns = layer.output.shape[2]
    windows = max(_pixels_at_once(layer), -(-columns // -(-columns // _WINDOWS)))
    constants = Conv2dPixelsMveConstants(**image_constants(op, layer), **_requantized(layer), windows=windows)
    return _call(op, layer, constants, windows * _WINDOW_BYTES, back=windows)


def lower_conv2d_windows(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights as for one pixel; scratch holds the windows of three pixels."""
    text = "mcuq_mve_pixels_any(columns, taps, left, taps, blocks, channels, shift, y_zero_point, out);"
    constants = Conv2dMveConstants(
        **image_constants(op, layer),
        arrays=pointers({"blocks": "int32"}).rstrip(),
        block=layer.output.shape[3],
        memory=Fragment.of("int8_t *const columns = scratch;"),
        start=NOTHING,
        products=Fragment.of(text, "mcuq_mve_pixels_any", name="conv2d_windows", numbers=_requantized(layer)),
    )
    return _call(op, layer, constants, 3 * _taps(layer))


def _requantized(layer: Layer) -> dict[str, int]:
    """The fields of _PixelsConstants."""
    return {"y_zero_point": layer.output.zero_point, "shift": layer_requantization(layer).shift}


def _call(op: Conv2d, layer: Layer, constants: Constants, scratch_bytes: int = 0, back: int = 3) -> tuple[Call, ...]:
    """`back` pixels at most are read when the first of them is written, or read again as the last of a row."""
    arrays = {"blocks": _blocks(layer)}
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=by_pixels(op.window, layer.inputs[0], layer.output, back),
        ),
    )


def _blocks(layer: Layer) -> Array:
    """Words of each block: four rows of taps up to a whole vector, four biases, four multipliers.

    Rows of more than two vectors alternate vector by vector: the first with the second, the third with the fourth.
    """
    weight = layer.inputs[1].values
    channels = weight.shape[0]
    rows = weight.reshape(channels, -1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES))).astype("<i1")
    words = np.ascontiguousarray(rows).view("<i4").astype(np.int32)
    multiplier = np.array(layer_requantization(layer).multiplier, np.int32)
    blocks = []
    for start in range(0, channels, _CHANNELS):
        first = min(start, channels - _CHANNELS)
        own = slice(first, first + _CHANNELS)
        taps = words[own][list(_ORDER)]
        if rows.shape[1] > 2 * LANES:
            taps = taps.reshape(2, 2, -1, LANES // 4).transpose(0, 2, 1, 3)
        blocks += [taps.reshape(-1), layer.inputs[2].values[own], multiplier[own]]
    return np.concatenate(blocks).astype(np.int32)
