"""Conv2d: dense, pointwise, grouped, depthwise and 1-D, around every CPU's blocks of pixels, channels and taps."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np
from support import Case

from cases.values import BOUNDS, bias, bounds, near, weights, windowed
from mcuq.errors import ModelError
from mcuq.kernels.portable.conv2d_float32 import CONVERTED_CHANNELS
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window

SAME = (1, 1, 1, 1)


def conv(
    rng: np.random.Generator,
    x: tuple[int, ...],
    kernel: tuple[int, int],
    outputs: int,
    groups: int = 1,
    limits: tuple[float, float] = (-inf, inf),
    **window: object,
) -> Case:
    """A convolution over x NHWC of random weights."""
    op = Conv2d(Window(kernel, **window), groups, minimum=limits[0], maximum=limits[1])
    return op, [x, weights(rng, outputs, *kernel, x[3] // groups), bias(rng, outputs)]


def clamped(
    rng: np.random.Generator,
    x: tuple[int, ...],
    kernel: tuple[int, int],
    outputs: int,
    groups: int = 1,
    **window: object,
) -> Case:
    """The same with random limits."""
    return conv(rng, x, kernel, outputs, groups, tuple(bounds(rng).values()), **window)


# Fixed sizes.


def corners() -> list[Case]:
    """Sizes around the kernel's, one of each kind of window, and images or channels of one element."""
    rng = np.random.default_rng(0)
    return [
        conv(rng, (1, 1, 1, 1), (1, 1), 1),
        conv(rng, (1, 1, 1, 1), (3, 3), 1, pads=SAME),
        conv(rng, (1, 1, 1, 3), (5, 4), 2, pads=(4, 3, 0, 0)),
        conv(rng, (2, 5, 7, 3), (1, 1), 5),
        conv(rng, (2, 5, 7, 3), (1, 1), 4, strides=(2, 3)),
        conv(rng, (1, 3, 3, 2), (3, 3), 3),
        conv(rng, (1, 4, 5, 2), (3, 3), 3, pads=(0, 1, 2, 0)),
        conv(rng, (2, 7, 5, 3), (3, 2), 4, limits=(0, inf), strides=(2, 1), pads=(1, 0, 0, 1)),
        conv(rng, (1, 9, 9, 1), (2, 3), 2, dilations=(3, 2), pads=(3, 0, 0, 4)),
        conv(rng, (1, 4, 4, 3), (2, 2), 2, pads=(3, 3, 3, 3), strides=(3, 3)),  # windows in the padding alone
        conv(rng, (1, 1, 17, 4), (1, 5), 3, strides=(1, 2), pads=(0, 2, 0, 2)),  # 1-D
        conv(rng, (2, 1, 9, 4), (1, 3), 4, 4, dilations=(1, 3), pads=(0, 3, 0, 3)),
        conv(rng, (1, 6, 5, 8), (3, 3), 6, 2, limits=(0, 6), pads=SAME),
        conv(rng, (1, 5, 5, 6), (2, 2), 9, 3, strides=(2, 2)),
        conv(rng, (2, 5, 4, 3), (3, 3), 3, 3, pads=SAME),
        conv(rng, (1, 8, 7, 5), (3, 3), 5, 5, limits=(-0.5, 0.7), strides=(2, 2), pads=(0, 0, 1, 1)),
        conv(rng, (1, 4, 6, 2), (3, 1), 6, 2, pads=(1, 0, 1, 0)),  # three outputs a channel
        conv(rng, (1, 5, 5, 4), (5, 5), 4, 4),
    ]


def borders() -> list[Case]:
    """Windows that leave the image on each side, on all, or wholly; by a tap, by more than the kernel reaches; each
    as a convolution, in one group or two, and depthwise, with one output a channel or two."""
    rng = np.random.default_rng(31)
    windows: list[tuple[tuple[int, int], tuple[int, int], dict[str, object]]] = [
        ((2, 2), (5, 5), {"pads": (2, 2, 2, 2)}),  # kernel larger than the image
        ((1, 1), (3, 4), {"pads": (1, 1, 1, 2)}),
        ((1, 1), (2, 2), {"pads": (5, 4, 3, 6), "strides": (2, 3)}),  # padding larger than the kernel's reach
        ((3, 2), (3, 3), {"pads": (4, 5, 4, 5)}),
        ((2, 3), (3, 3), {"pads": (4, 4, 4, 4), "dilations": (4, 4)}),  # one tap in three on the image
        ((4, 3), (2, 3), {"pads": (0, 5, 7, 4), "dilations": (7, 5), "strides": (1, 2)}),
        ((5, 4), (3, 3), {"pads": (1, 0, 0, 0)}),
        ((5, 4), (3, 3), {"pads": (0, 1, 0, 0)}),
        ((5, 4), (3, 3), {"pads": (0, 0, 1, 0)}),
        ((5, 4), (3, 3), {"pads": (0, 0, 0, 1)}),
        ((4, 4), (3, 3), {"pads": (0, 0, 1, 1), "strides": (2, 2)}),
        ((5, 5), (2, 2), {"pads": (0, 0, 1, 1), "strides": (3, 3)}),  # padding that no window meets
    ]
    return [
        conv(rng, (1 + i % 2, *size, 4), kernel, outputs, groups, BOUNDS[i % len(BOUNDS)], **window)
        for i, (size, kernel, window) in enumerate(windows)
        for outputs, groups in (((3, 1), (4, 4)), ((6, 2), (8, 4)))[i % 2]
    ]


def blocks() -> list[Case]:
    """Channels and taps around the blocks: two outputs at a time, vectors of sixteen taps, four depthwise channels."""
    rng = np.random.default_rng(32)
    cases = []
    for channels in (1, 2, 3, 4, 5, 7, 8, 15, 16, 17):
        cases.append(conv(rng, (1, 2, 3, channels), (1, 1), channels % 5 + 1))
        cases.append(conv(rng, (1, 2, 2, channels), (2, 2), 18 - channels, pads=(1, 0, 0, 1)))
        cases.append(conv(rng, (1, 2, 3, 2), (1, 2), 2 * channels, 2, limits=(0, 6)))  # channel multipliers
        cases.append(conv(rng, (1, 3, 3, 2 * channels), (1, 1), 2 * (channels % 4 + 1), 2))
        if channels > 1:
            pads = SAME if channels % 2 else (0, 0, 0, 0)
            cases.append(conv(rng, (1, 3, 4, channels), (3, 3), channels, channels, pads=pads))
    return cases


def pointwise() -> list[Case]:
    """Pixels and channels around blocks of 2, 3, 4 and 16, input channels even and odd; strides, several images."""
    rng = np.random.default_rng(33)
    sizes = [(pixels, 5, 3) for pixels in (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17)]
    sizes += [(pixels, 5, outputs) for pixels in (1, 3, 4, 5, 8) for outputs in (1, 3, 4, 5, 9)]
    sizes += [(pixels, 9, 6) for pixels in (1, 2, 3, 5, 6, 7)]
    sizes += [(5, channels, 5) for channels in (1, 2, 3, 4)]
    return [
        *(clamped(rng, (1, 1, pixels, channels), (1, 1), outputs) for pixels, channels, outputs in sizes),
        clamped(rng, (2, 3, 3, 3), (1, 1), 5),
        clamped(rng, (2, 5, 5, 3), (1, 1), 4),
        clamped(rng, (1, 5, 7, 4), (1, 1), 3),
        clamped(rng, (1, 6, 6, 4), (1, 1), 5, strides=(2, 2)),
        clamped(rng, (1, 2, 2, 2), (1, 1), 4, strides=(5, 1), pads=(3, 9, 0, 2)),
    ]


def dense() -> list[Case]:
    """Rows of outputs around the block of four, runs even and odd, and padding on each side, also alone; one and three
    channels, which are those of images."""
    rng = np.random.default_rng(34)
    rows = ((1, 1, 1), (3, 3, 4), (4, 3, 5), (5, 2, 3), (8, 4, 4), (9, 1, 9))
    return [
        *(clamped(rng, (1, 4, width, channels), (3, 3), outputs, pads=SAME) for width, channels, outputs in rows),
        clamped(rng, (2, 9, 9, 3), (3, 3), 8, strides=(2, 2), pads=SAME),
        clamped(rng, (1, 9, 9, 3), (3, 3), 8, strides=(2, 2), pads=SAME),
        clamped(rng, (1, 7, 11, 3), (3, 3), 3, pads=SAME),
        clamped(rng, (1, 7, 9, 3), (3, 3), 5, dilations=(2, 3)),
        clamped(rng, (1, 11, 7, 3), (5, 4), 1, strides=(3, 2), pads=(2, 1, 2, 2)),
        clamped(rng, (1, 9, 9, 1), (3, 3), 4, strides=(2, 2), pads=SAME),
        clamped(rng, (1, 8, 8, 4), (3, 3), 4, strides=(2, 2), pads=(0, 0, 1, 1)),
        clamped(rng, (1, 25, 7, 1), (10, 4), 5, strides=(2, 2), pads=(4, 1, 5, 1)),
        clamped(rng, (1, 1, 17, 4), (1, 5), 3, strides=(1, 2), pads=(0, 2, 0, 2)),
        clamped(rng, (1, 17, 1, 4), (5, 1), 3, strides=(2, 1), pads=(2, 0, 2, 0), dilations=(2, 3)),
        clamped(rng, (2, 17, 1, 4), (5, 1), 3, strides=(2, 1), pads=(2, 0, 1, 0)),
        clamped(rng, (1, 4, 4, 3), (2, 2), 5, strides=(3, 3), pads=(3, 3, 3, 3)),
        clamped(rng, (1, 1, 1, 3), (5, 4), 4, pads=(4, 3, 0, 0)),
        clamped(rng, (1, 2, 2, 2), (2, 2), 4, strides=(5, 5), pads=(4, 4, 0, 0)),
        clamped(rng, (1, 2, 2, 200), (3, 3), 2, pads=SAME),  # accumulators beyond 2^20, groups of 127
    ]


WHOLE_IMAGES = ((1, 1), (1, 2), (3, 1), (3, 3), (15, 1), (2, 2))
"""Windows of one output, of which the DSP extension computes four channels at a time."""


def depthwise() -> list[Case]:
    """Rows of outputs around the block of four, planes with padding on each side, several outputs a channel, 1-D."""
    rng = np.random.default_rng(35)
    cases = [
        clamped(rng, (1, 5, width, 3), (3, 3), 3, 3, strides=(stride, stride), pads=SAME)
        for width in (1, 2, 3, 4, 5, 7, 8, 9, 10, 17)
        for stride in (1, 2)
    ]
    cases += [clamped(rng, (1, height, 3, 3), (3, 3), 3, 3, pads=SAME) for height in (1, 2, 3, 4, 5, 8, 9)]
    return [
        *cases,
        clamped(rng, (2, 6, 5, 2), (3, 3), 6, 2, pads=(0, 2, 1, 0)),
        clamped(rng, (1, 30, 1, 5), (3, 1), 5, 5),
        clamped(rng, (1, 15, 1, 3), (15, 1), 3, 3),
        clamped(rng, (1, 20, 1, 2), (15, 1), 2, 2),
        *(clamped(rng, (1, *size, n), size, n, n) for size, n in zip(WHOLE_IMAGES, (4, 12, 8, 20, 4, 6), strict=True)),
        clamped(rng, (1, 1, 20, 2), (1, 10), 4, 2),
        clamped(rng, (2, 14, 1, 3), (4, 1), 6, 3, strides=(3, 1), pads=(2, 0, 3, 0)),
        clamped(rng, (1, 1, 15, 3), (1, 5), 3, 3, strides=(1, 2), pads=(0, 2, 0, 2)),
        clamped(rng, (1, 7, 9, 4), (5, 5), 4, 4, pads=(2, 2, 2, 2)),
        clamped(rng, (1, 9, 6, 4), (5, 5), 4, 4, strides=(1, 2), pads=(2, 2, 2, 2)),
        clamped(rng, (1, 7, 9, 4), (3, 3), 8, 4, strides=(1, 2), pads=(2, 2, 2, 2), dilations=(2, 2)),
        clamped(rng, (1, 9, 7, 3), (3, 3), 3, 3, pads=SAME, dilations=(2, 2)),
        clamped(rng, (2, 7, 5, 3), (3, 3), 3, 3, strides=(2, 2), pads=SAME),
        clamped(rng, (1, 7, 5, 3), (3, 3), 6, 3, pads=SAME),
        clamped(rng, (1, 2, 2, 2), (3, 3), 2, 2, strides=(4, 4), pads=(5, 5, 0, 1)),
        clamped(rng, (1, 4, 4, 3), (2, 2), 3, 3, strides=(4, 4), pads=(3, 3, 3, 3)),
    ]


def channels() -> list[Case]:
    """Output channels around blocks of four, and around those whose float16 weights are converted at once."""
    rng = np.random.default_rng(5)
    counts = (1, 2, 3, 4, 5, *(CONVERTED_CHANNELS + more for more in (-1, 0, 1)), 2 * CONVERTED_CHANNELS)
    cases = [conv(rng, (1, 2, 3, 3), (2, 2), n, pads=(1, 0, 0, 1)) for n in counts]
    return cases + [conv(rng, (1, 2, 3, 4), (1, 1), 2 * n, groups=2) for n in counts]


def fixed() -> list[Case]:
    """All of the above."""
    return [*corners(), *borders(), *blocks(), *pointwise(), *dense(), *depthwise(), *channels()]


def vectors() -> list[Case]:
    """Sizes around vectors: 16 taps and lanes, 2 to 4 channels, 2 and 3 pixels, 4 columns, 2 and 3 rows."""
    rng = np.random.default_rng(1)
    return [*_lanes(rng), *_strips(rng), *_pixels(rng)]


def _lanes(rng: np.random.Generator) -> Iterator[Case]:
    for taps in (1, 3, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129):
        yield conv(rng, (1, 1, 4, taps), (1, 1), 5)
    for outputs in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 18, 31, 32, 33, 34):
        yield conv(rng, (1, 2, 2, 20), (1, 1), outputs)
    for kernel, strides, pads in (
        ((3, 3), (1, 1), SAME),
        ((3, 3), (2, 2), (0, 0, 1, 1)),
        ((1, 1), (2, 2), (0, 0, 0, 0)),
        ((2, 5), (1, 3), (1, 4, 0, 2)),
        ((10, 4), (2, 2), (4, 1, 5, 1)),
        ((5, 5), (1, 1), (4, 4, 4, 4)),
    ):
        for channels in (1, 3, 4):
            yield conv(rng, (2, 6, 7, channels), kernel, 7, strides=strides, pads=pads)
            x = (2, 6, 7, channels + 1)
            yield conv(rng, x, kernel, channels + 1, channels + 1, strides=strides, pads=pads)
    for columns in (3, 4, 5, 7, 8, 9):
        for rows in (1, 2, 3, 4, 5, 6):
            yield conv(rng, (1, rows, columns, 2), (3, 3), 2, 2, pads=SAME)
        yield conv(rng, (1, 5, columns, 2), (3, 3), 2, 2, strides=(2, 2), pads=SAME)
        yield conv(rng, (1, 5, columns, 2), (3, 3), 2, 2, strides=(3, 3), pads=SAME)
        yield conv(rng, (1, 5, columns, 2), (3, 3), 2, 2, limits=(-0.5, 0.75), pads=SAME)
        yield conv(rng, (1, 1, columns + 16, 2), (1, columns), 2, 2, pads=(0, 1, 0, 2))
        yield conv(rng, (1, columns + 16, 1, 2), (columns + 8, 1), 2, 2, strides=(2, 1))


def _strips(rng: np.random.Generator) -> Iterator[Case]:
    """Depthwise 3x3 around 16 channels, 2 rows, 4 columns; each side with and without padding."""
    for stride in (1, 2):
        strides = (stride, stride)
        for channels in (2, 3, 15, 16, 17, 33):
            yield conv(rng, (1, 5, 9, channels), (3, 3), channels, channels, strides=strides, pads=SAME)
        for rows in (3, 4, 5, 6):
            for columns in (6, 7, 8, 9, 10, 11, 12, 13):
                yield conv(rng, (1, rows, columns, 2), (3, 3), 2, 2, strides=strides)
        for pads in ((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0), (0, 0, 0, 2), (2, 2, 2, 2), (1, 0, 0, 2)):
            yield conv(rng, (2, 3, 9, 3), (3, 3), 3, 3, strides=strides, pads=pads)
            yield conv(rng, (1, 9, 4, 3), (3, 3), 3, 3, strides=strides, pads=pads)
        yield conv(rng, (1, 1, 8, 3), (3, 3), 3, 3, strides=strides, pads=(2, 2, 2, 2))


def _pixels(rng: np.random.Generator) -> Iterator[Case]:
    """Up to 32 taps and more around 4 channels, 2 and 3 pixels, 16 windows in a row."""
    for taps in (1, 15, 16, 17, 31, 32):
        for outputs in (3, 4, 5, 6, 7, 8, 9):
            yield conv(rng, (1, 1, 5, taps), (1, 1), outputs)
        for pixels in (1, 2, 3, 4, 5, 6, 7, 8):
            yield conv(rng, (1, 1, pixels, taps), (1, 1), 5)
    for taps in (33, 48, 49, 63, 65, 80, 81, 96, 112, 129, 144):
        for outputs, pixels in ((3, 3), (4, 1), (4, 2), (5, 3), (6, 4), (7, 5), (8, 6), (9, 7)):
            yield conv(rng, (1, 1, pixels, taps), (1, 1), outputs)
    for taps in (15, 16, 17, 32, 33):
        for strides in ((1, 2), (2, 1), (3, 2)):
            yield conv(rng, (2, 4, 6, taps), (1, 1), 6, strides=strides)
    for channels, kernel in ((1, (3, 3)), (1, (4, 4)), (3, (3, 3)), (2, (1, 8)), (8, (2, 2)), (5, (3, 2)), (4, (8, 1))):
        for columns in (8, 9, 15, 16, 17, 18, 33, 34, 36):
            pads = (kernel[0] // 2, kernel[1] // 2, kernel[0] // 2, (kernel[1] - 1) // 2)
            yield conv(rng, (1, kernel[0], columns, channels), kernel, 5, pads=pads)
        yield conv(rng, (2, 9, 37, channels), kernel, 6, strides=(2, 2), pads=(0, 0, 1, 1))
        yield conv(rng, (1, 9, 8, channels), kernel, 4, strides=(1, 3), pads=tuple(k - 1 for k in kernel * 2))


# Random layers.

KERNELS = ((1, 1), (1, 3), (2, 2), (3, 1), (3, 3), (4, 2), (1, 16), (10, 4), (17, 1))


def any_pointwise(rng: np.random.Generator) -> Case:
    """1x1, whole words of channels or not, with strides or not."""
    channels = int(rng.choice([1, 2, 7, 17, 64])) if rng.integers(3) == 0 else 4 * near(rng, 1, 2, 4, 8)
    strides = (1, 1) if rng.integers(3) else tuple(int(v) for v in rng.integers(1, 4, 2))
    x = (int(rng.choice([1, 1, 2])), int(rng.integers(1, 5)), near(rng, 1, 4, 8), channels)
    return clamped(rng, x, (1, 1), near(rng, 2, 4, 8, 16, 33), strides=strides)


def any_dense(rng: np.random.Generator) -> Case:
    """Any window over any image."""
    window, height, width = windowed(rng, 12, True)
    x = (int(rng.choice([1, 1, 2])), height, width, int(rng.choice([1, 2, 3, 3, 4, 4, 5, 8, 9, 12, 17])))
    return clamped(rng, x, window.kernel, near(rng, 2, 4, 8, 17), **_of(window))


def any_depthwise(rng: np.random.Generator) -> Case:
    """3x3 with padding on any side, or any window; several outputs a channel at times."""
    if rng.integers(2):
        stride = int(rng.integers(1, 3))
        pads = SAME if rng.integers(2) else tuple(int(v) for v in rng.integers(0, 3, 4))
        window = Window((3, 3), (stride, stride), pads)
        # With less than 3 rows there has to be padding.
        height, width = (int(v) for v in rng.integers(1 if pads == SAME else 3, 14, 2))
    else:
        window, height, width = windowed(rng, 14, not rng.integers(3))
    channels = max(2, near(rng, 2, 4, 8, 16, 33))
    x = (int(rng.choice([1, 1, 2])), height, width, channels)
    return clamped(rng, x, window.kernel, channels * int(rng.choice([1, 1, 1, 1, 2, 3])), channels, **_of(window))


def any_column(rng: np.random.Generator) -> Case:
    """Depthwise over one spatial dimension, along either axis."""
    length, channels = near(rng, 8, 16), max(2, near(rng, 4, 8))
    taps, stride = min(near(rng, 2, 4, 8), length), int(rng.integers(1, 4))
    if rng.integers(2):
        return clamped(rng, (1, 1, length, channels), (1, taps), channels, channels, strides=(1, stride))
    return clamped(rng, (1, length, 1, channels), (taps, 1), channels, channels, strides=(stride, 1))


def any_pixels(rng: np.random.Generator) -> Case:
    """Long rows under kernels of up to 32 taps, or of up to 160."""
    kernel = KERNELS[rng.integers(len(KERNELS))]
    most = max(1, int(rng.choice([32, 32, 160])) // (kernel[0] * kernel[1]))
    channels = int(rng.integers(1, most + 1))
    strides = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
    pads = tuple(int(rng.integers(k)) for k in kernel * 2)
    x = (int(rng.choice([1, 1, 2])), kernel[0] + int(rng.integers(6)), kernel[1] + int(rng.integers(40)), channels)
    return clamped(rng, x, kernel, int(rng.integers(4, 40)), strides=strides, pads=pads)


def _of(window: Window) -> dict[str, object]:
    """The window's arguments behind its kernel."""
    return {"strides": window.strides, "pads": window.pads, "dilations": window.dilations}


MAKERS = (any_pointwise, any_dense, any_depthwise, any_column, any_pixels)


def any_grouped(rng: np.random.Generator) -> Case:
    """A small layer of one to three groups."""
    while True:
        groups = int(rng.integers(1, 4))
        per_group = int(rng.choice([1, 1, 2, 3, 5]))
        x = (int(rng.choice([1, 1, 2])), *(int(v) for v in rng.integers(1, 10, 2)), groups * per_group)
        kernel, strides, dilations = (tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(3))
        window = Window(kernel, strides, tuple(int(v) for v in rng.integers(0, 3, 4)), dilations)
        try:
            window.output_size(*x[1:3])
        except ModelError:
            continue
        return clamped(rng, x, kernel, groups * int(rng.integers(1, 5)), groups, **_of(window))


def any_groups(seed: int, count: int) -> list[Case]:
    """Small layers of one to three groups."""
    rng = np.random.default_rng(seed)
    return [any_grouped(rng) for _ in range(count)]


def many_channels(rng: np.random.Generator) -> Case:
    """A random window on an image of up to 40 channels."""
    op, inputs = any_grouped(rng)
    groups = int(rng.choice([1, 1, 2, 3, 5, 8]))
    per_group = 1 if rng.random() < 0.4 else int(rng.integers(1, 41 // groups))
    outputs = groups * int(rng.integers(1, 41 // groups))
    x = (*inputs[0][:3], groups * per_group)
    return conv(rng, x, op.window.kernel, outputs, groups, (op.minimum, op.maximum), **_of(op.window))


# Which few CPUs have kernels for.
GROUPED = (any_grouped, many_channels)
