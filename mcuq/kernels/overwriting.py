"""How far below its input the output of a call may lie: the order in which kernels read and write, in bytes.

An output that begins `below` bytes or more below its input never meets an element that is still to be read: with rows
as the order, for each row r of outputs, r + 1 rows may be written while those of inputs from the first one of r's
windows on are read, so that below = max over r of (r + 1) * bytes of an output row - first(r) * bytes of an input row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm, prod

import numpy as np

from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.window import Window

ALIGNMENT = 4


@dataclass(frozen=True)
class Below:
    """The output may begin `at_least` bytes below the input (above it, where that is negative); no less, and `exactly`
    says: no more either."""

    at_least: int
    exactly: bool = False


def common_bytes(x_bytes: int, y_bytes: int, below: int) -> int:
    """Bytes that an output shares with its input, which it lies so many bytes below."""
    distance = max(-(-below // ALIGNMENT) * ALIGNMENT, -x_bytes)
    low, high = min(0, distance), max(y_bytes, distance + x_bytes)
    return max(0, x_bytes + y_bytes - (high - low))


def by_rows(window: Window, x: Tensor, y: Tensor) -> Below:
    """Of kernels that make the rows of an image in order, and read what a row's windows meet until it is written."""
    first = _first_rows(window, x, y)
    written = np.arange(1, len(first) + 1)
    return Below(_most(written * _row_bytes(y), first * _row_bytes(x), -x.size_bytes))


def by_pixels(window: Window, x: Tensor, y: Tensor, back: int = 0, tail: int = 0) -> Below:
    """Of kernels that make pixels in order, one or several at a time, and have read what their windows meet when they
    write the first of them; or may read again what those up to `back` pixels before meet. The last `tail` pixels are
    read until the last of them is written."""
    rows, columns = (
        np.maximum(np.arange(y.shape[1 + axis]) * window.strides[axis] - window.pads[axis], 0) for axis in range(2)
    )
    images = np.arange(x.shape[0])[:, None, None] * x.shape[1]
    first = ((images + rows[:, None]) * x.shape[2] + columns).reshape(-1)
    first = np.minimum.accumulate(first[::-1])[::-1]  # what a pixel or any behind it reads first
    written = np.arange(1, len(first) + (back > 0))
    read = first[np.maximum(written - back, 0)]
    if tail:
        written, read = np.append(written, len(first)), np.append(read, first[-tail])
    return Below(_most(written * (y.shape[3] * _bytes(y)), read * (x.shape[3] * _bytes(x)), -x.size_bytes))


def by_matrix_rows(x: Tensor, y: Tensor, at_once: int = 1) -> Below:
    """Of kernels that make the rows of a matrix in order, so many at a time, of each the last dimension: those may be
    read until the last of them is written."""
    rows = prod(y.shape[:-1])
    written = np.arange(1, rows + 1)
    read = np.maximum(written - at_once, 0) * (x.size_bytes // rows)
    return Below(_most(written * (y.size_bytes // rows), read, -x.size_bytes))


def by_elements(x: Tensor, y: Tensor) -> Below:
    """Of kernels that read each element, then write it, in order."""
    written = np.array([1, y.elements])
    return Below(_most(written * _bytes(y), written * _bytes(x), -x.size_bytes))


def by_channels(window: Window, x: Tensor, y: Tensor, band_rows: int, back: int = 0) -> Below | None:
    """Of depthwise kernels that go through all of some channels, in bands of rows that are read before they are
    written, or may read again what those up to `back` rows before meet: other channels are never met where both images
    have their channels at the same places."""
    if x.shape[0] != 1 or x.shape[3] != y.shape[3] or _bytes(x) != _bytes(y):
        return None
    written = np.arange(band_rows, y.shape[1] + (back > 0), band_rows)
    read = _first_rows(window, x, y)[np.maximum(written - back, 0)]
    step = lcm(x.shape[3] * _bytes(x), ALIGNMENT)
    return Below(-(-_most(written * _row_bytes(y), read * _row_bytes(x), 0) // step) * step, exactly=True)


def _first_rows(window: Window, x: Tensor, y: Tensor) -> Array:
    """For each row of outputs, images in order, the first row of inputs that it or any behind it reads."""
    first = np.maximum(np.arange(y.shape[1]) * window.strides[0] - window.pads[0], 0)
    rows = (np.arange(x.shape[0])[:, None] * x.shape[1] + first).reshape(-1)
    return np.asarray(np.minimum.accumulate(rows[::-1])[::-1])


def _row_bytes(image: Tensor) -> int:
    return prod(image.shape[2:]) * _bytes(image)


def _bytes(tensor: Tensor) -> int:
    return np.dtype(tensor.dtype).itemsize


def _most(written: Array, read: Array, least: int) -> int:
    return max([least, *(int(value) for value in written - read)])
