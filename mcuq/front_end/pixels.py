"""A camera's pixels, in each of its formats, as red, green and blue or brightness: the same bits as mcuq_pixels.h."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Format = Literal["grey", "RGB888", "BGR888", "RGB565", "RGB565_BE", "YUYV", "UYVY"]
YuvRange = Literal["limited", "full"]

PIXEL_BYTES: dict[Format, int] = {
    "grey": 1,
    "RGB888": 3,
    "BGR888": 3,
    "RGB565": 2,
    "RGB565_BE": 2,
    "YUYV": 2,
    "UYVY": 2,
}
IS_YUV: frozenset[Format] = frozenset({"YUYV", "UYVY"})
# BT.601: brightness of red, green and blue in 2^-16, and what Y, U and V add to each colour (of V to red, of U and of V
# to green, of U to blue), as JFIF has it, where all reach from 0 to 255, and as video has it.
GREY = 19595, 38470, 7471
_FULL = 65536, 91881, 22554, 46802, 116130
_LIMITED = 76309, 104597, 25675, 53279, 132201


def of_565(pixels: Integers) -> Integers:
    """Red, green and blue (..., 3) of 5, 6 and 5 bits as 8 bits each, rounded."""
    red, green, blue = pixels >> 11, pixels >> 5 & 63, pixels & 31
    return np.stack([(red * 527 + 23) >> 6, (green * 259 + 33) >> 6, (blue * 527 + 23) >> 6], -1)


def rgb_of_yuv(y: Integers, u: Integers, v: Integers, reach: YuvRange) -> Integers:
    """Red, green and blue (..., 3), each rounded once."""
    luma, red_v, green_u, green_v, blue_u = _FULL if reach == "full" else _LIMITED
    base = (y - (0 if reach == "full" else 16)) * luma + 32768
    u, v = u - 128, v - 128
    colours = np.stack([base + red_v * v, base - green_u * u - green_v * v, base + blue_u * u], -1)
    return (colours >> 16).clip(0, 255)


def grey_of_rgb(colours: Integers) -> Integers:
    """Brightness (...) of (..., 3)."""
    found: Integers = (colours @ np.array(GREY) + 32768) >> 16
    return found


def grey_of_luma(y: Integers, reach: YuvRange) -> Integers:
    """Brightness of Y."""
    return y if reach == "full" else (((y - 16) * _LIMITED[0] + 32768) >> 16).clip(0, 255)


def pixels_of(frames: Bytes, form: Format, reach: YuvRange, channels: int) -> Integers:
    """Red, green and blue, or brightness: (..., width, channels) of rows (..., bytes)."""
    x = frames.astype(np.int64).reshape(*frames.shape[:-1], -1, PIXEL_BYTES[form])
    if form in IS_YUV:
        pairs = x.reshape(*x.shape[:-2], -1, 4)
        order = (0, 1, 2, 3) if form == "YUYV" else (1, 0, 3, 2)
        first, u, second, v = (pairs[..., i] for i in order)
        y = np.stack([first, second], -1).reshape(*pairs.shape[:-2], -1)
        if channels == 1:
            return grey_of_luma(y, reach)[..., None]
        return rgb_of_yuv(y, u.repeat(2, -1), v.repeat(2, -1), reach)
    if form == "grey":
        return x.repeat(channels, -1)
    if form in ("RGB565", "RGB565_BE"):
        low, high = (0, 1) if form == "RGB565" else (1, 0)
        x = of_565(x[..., low] | x[..., high] << 8)
    elif form == "BGR888":
        x = x[..., ::-1]
    return x if channels == 3 else grey_of_rgb(x)[..., None]


def frames_of(colours: Bytes, form: Format, reach: YuvRange) -> Bytes:
    """What a camera would give of red, green and blue (..., height, width, 3): rows (..., height, bytes)."""
    x = colours.astype(np.float64)
    encode: dict[Format, Callable[[], NDArray[np.generic]]] = {
        "grey": lambda: grey_of_rgb(colours.astype(np.int64)),
        "RGB888": lambda: colours,
        "BGR888": lambda: colours[..., ::-1],
        "RGB565": lambda: _words_of_565(x).astype("<u2").view(np.uint8),
        "RGB565_BE": lambda: _words_of_565(x).astype(">u2").view(np.uint8),
        "YUYV": lambda: _yuv_of(x, reach)[..., (0, 2, 1, 3)],
        "UYVY": lambda: _yuv_of(x, reach)[..., (2, 0, 3, 1)],
    }
    found = np.ascontiguousarray(encode[form]()).astype(np.uint8)
    return found.reshape(*colours.shape[:-2], -1)


def _words_of_565(x: NDArray[np.float64]) -> Integers:
    red, green, blue = (np.floor(x[..., i] * most / 255 + 0.5).astype(np.int64) for i, most in enumerate((31, 63, 31)))
    return red << 11 | green << 5 | blue


def _yuv_of(x: NDArray[np.float64], reach: YuvRange) -> Integers:
    """Y of two pixels, and U and V of their mean: (..., width / 2, 4)."""
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = ((c - y).reshape(*y.shape[:-1], -1, 2).mean(-1) / most for c, most in ((blue, 1.772), (red, 1.402)))
    if reach == "limited":
        y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255
    found = np.stack([y[..., ::2], y[..., 1::2], u + 128, v + 128], -1)
    return np.floor(found + 0.5).clip(0, 255).astype(np.int64)
