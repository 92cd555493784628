"""Depthwise 3x3 convolution for Armv8.1-M with MVE: a window of one channel in the lanes of a vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.mve.requantized import has_one_high_word
from mcuq.kernels.overwriting import by_channels
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

_COLUMNS = 4  # that are computed at once
_SCATTER_BYTES = 2**16  # VSTRB.16 has 16-bit offsets


@dataclass(frozen=True)
class Depthwise3x3MveConstants(Constants):
    """A 3x3 window with stride 1 or 2, clamped to int8 alone.

    Columns are the axis, x or y, along which vectors are filled better; rows are the other.
    """

    template = "mve/depthwise_3x3"

    batch: int
    channels: int
    in_rows: int
    in_columns: int
    out_rows: int
    out_columns: int
    stride: int
    pad_first: int
    pad_left: int
    x_row: int
    x_step: int
    y_row: int
    y_step: int
    x_zero_point: int
    y_zero_point: int
    shift: int


def _column_axis(op: Conv2d, layer: Layer) -> int | None:
    """0 where columns run along y, 1 along x, None where neither has enough of them or reaches too far."""
    is_dense = op.window.strides == (1, 1)
    rows_at_once = 2 if is_dense else 1
    blocks = {}
    for axis in (1, 0):
        rows, columns = layer.output.shape[2 - axis], layer.output.shape[1 + axis]
        y_row, y_step = _steps(layer.output, axis)
        reaches = not is_dense or y_row + 3 * y_step < _SCATTER_BYTES
        if columns >= _COLUMNS and rows >= rows_at_once and reaches:
            blocks[axis] = -(-rows // rows_at_once) * -(-columns // _COLUMNS)
    return min(blocks, key=blocks.__getitem__, default=None)


def _steps(image: Tensor, axis: int) -> tuple[int, int]:
    """Bytes from a row, and from a column, to the next where columns run along `axis`."""
    along_y, along_x = image.shape[2] * image.shape[3], image.shape[3]
    return (along_y, along_x) if axis == 1 else (along_x, along_y)


def accepts_3x3(op: Conv2d, layer: Layer) -> bool:
    """Whether windows of four rows and columns hold what outputs side by side read, and vectors are filled."""
    x, y = layer.inputs[0], layer.output
    return (
        op.is_depthwise(layer)
        and x.shape[3] == y.shape[3]
        and op.window.kernel == (3, 3)
        and op.window.dilations == (1, 1)
        and op.window.strides in ((1, 1), (2, 2))
        and max(op.window.pads[:2]) < 3
        and op.output_bounds(y) == (-128, 127)
        and _column_axis(op, layer) is not None
        and has_one_high_word(layer_requantization(layer))
    )


def lower_depthwise_3x3(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights, bias and multiplier become records; scratch is a strip of four rows and 16 bytes of padding."""
    x, y = layer.inputs[0], layer.output
    axis = _column_axis(op, layer)
    assert axis is not None
    row, column = 1 - axis, axis
    x_row, x_step = _steps(x, axis)
    y_row, y_step = _steps(y, axis)
    constants = Depthwise3x3MveConstants(
        batch=x.shape[0],
        channels=x.shape[3],
        in_rows=x.shape[1 + row],
        in_columns=x.shape[1 + column],
        out_rows=y.shape[1 + row],
        out_columns=y.shape[1 + column],
        stride=op.window.strides[0],
        pad_first=op.window.pads[row],
        pad_left=op.window.pads[column],
        x_row=x_row,
        x_step=x_step,
        y_row=y_row,
        y_step=y_step,
        x_zero_point=x.zero_point,
        y_zero_point=y.zero_point,
        shift=layer_requantization(layer).shift,
    )
    strip_bytes = 64 * (constants.out_columns * constants.stride + 2)
    arrays = {"records": _records(layer, axis)}
    # Strips of rows, 16 channels each; the last of an odd number of rows is made with the one before it, again.
    below = by_channels(op.window, x, y, 1, back=2) if axis == 1 else None
    return (
        Call(constants, arrays=arrays, scratch_bytes=16 + strip_bytes, bound=accumulator_bound(layer), below=below),
    )


def _records(layer: Layer, axis: int) -> Array:
    """For each channel five words: a word of each column of taps, first row lowest, then bias and multiplier."""
    weight = layer.inputs[1].values[..., 0]
    by_column = weight.transpose(0, 2, 1) if axis == 1 else weight
    taps = np.pad(by_column, ((0, 0), (0, 0), (0, 1))).astype("<i1")
    words = np.ascontiguousarray(taps).view("<i4")[..., 0].astype(np.int32)
    multiplier = np.array(layer_requantization(layer).multiplier, np.int32)
    return np.concatenate([words, layer.inputs[2].values[:, None], multiplier[:, None]], axis=1).astype(np.int32)
