"""Real FFTs of 64 to 2048 points in integers: the namesakes of firmware/kernels/mcuq_fft.h give the same bits.

Both take N real samples as N/2 complex ones, in stages of radix 4 (and one of radix 2 before them, where N/2 is no
power of 4), each on data that lies in the order of its digits; a last step makes N/2 + 1 values of the real signal's
spectrum of them (Sorensen et al., "Real-valued fast Fourier transform algorithms", IEEE Trans. ASSP 35, 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
SIZES = (64, 128, 256, 512, 1024, 2048)


def radices(points: int) -> tuple[int, ...]:
    """Of the stages, in order, for so many complex points."""
    bits = points.bit_length() - 1
    return (2,) * (bits % 2) + (4,) * (bits // 2)


def group_places(size: int) -> NDArray[np.int64]:
    """Where results of the first stage lie, in units of its radix: those of each pair of samples, and of others in
    steps of size / radix samples."""
    radix = radices(size // 2)[0]
    return digit_order(size // 2)[: size // 2 // radix] // radix


def group_parts(size: int, given: int) -> tuple[tuple[int, int, int], ...]:
    """(begin, end, parts): groups of the first stage, where all but the first `parts` values of each are 0, of `given`
    samples before zeros."""
    radix, pairs = radices(size // 2)[0], (given + 1) // 2
    groups = size // 2 // radix
    most, more = divmod(pairs, groups)
    found = (0, more, most + 1), (more, groups, most)
    return tuple((begin, end, parts) for begin, end, parts in found if begin < end)


def halvings(size: int) -> int:
    """The FFT of 32 bits gives the spectrum of `size` real samples divided by 2 as often."""
    return len(radices(size // 2))


@cache
def digit_order(points: int) -> NDArray[np.int64]:
    """Where each complex sample lies before the first stage."""
    order = np.zeros(1, np.int64)
    for radix in radices(points):  # the last stage takes every fourth sample apart, the one before a fourth of these
        order = np.concatenate([radix * order + i for i in range(radix)])
    places = np.empty(points, np.int64)
    places[order] = np.arange(points)
    return places


@cache
def _turns(size: int) -> NDArray[np.float64]:
    """Of each twiddle, in the order in which the C reads them, the part of a turn: first those of stages of radix 4,
    all but the first stage's, which are 0; k = 1, 2, 3 of each place. Then those of the last step."""
    length, found = 1, []
    for radix in radices(size // 2):
        if length > 1:
            found.append((np.arange(length)[:, None] * [1, 2, 3] / (4 * length)).ravel())
        length *= radix
    return np.concatenate([*found, np.arange(1, size // 4 + 1) / size + 0.25])


@cache
def twiddles_s16(size: int) -> NDArray[np.int16]:
    """(n, 2): cos and sin of the angles that real FFTs of `size` samples turn by, in units of 1/32767."""
    angle = -2 * np.pi * _turns(size)
    return np.floor(32767 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.5).astype(np.int16)


@cache
def twiddles_s32(size: int) -> NDArray[np.int32]:
    """The same in units of 2^-31, 1 being one unit less."""
    angle = -2 * np.pi * _turns(size)
    values = np.floor(np.stack([np.cos(angle), np.sin(angle)], axis=1) * 2.0**31 + 0.5)
    return np.minimum(values, 2**31 - 1).astype(np.int32)


def first_call(size: int, bits: int, place: str, values: Sequence[str]) -> str:
    """The line of C that takes a group of values, zeros behind them left out, through the first stage to its place."""
    radix = radices(size // 2)[0]
    zeros = ["0"] * (radix * bits // 16 - len(values))
    return f"mcuq_first_{radix}_s{bits}({place}, {', '.join([*values, *zeros])});"


def fft_calls(size: int, bits: int, turns: str, end_bin: int | None = None) -> tuple[str, ...]:
    """Lines of C that make the spectrum, in place of the first stage's results `x` of 16 or 32 bits, with the twiddles
    `turns`. Of 32 bits, those before `end_bin` are enough if given."""
    points, length, read = size // 2, radices(size // 2)[0], 0
    calls = []
    for radix in radices(points)[1:]:
        calls.append(f"mcuq_stage_s{bits}(x, {turns} + {read * bits // 16}, {points}, {length});")
        read += 3 * length
        length *= radix
    is_all = f", {int(end_bin is None or needs_all(size, end_bin))}" if bits == 32 else ""
    return (*calls, f"mcuq_spectrum_s{bits}(x, {turns} + {read * bits // 16}, {points}{is_all});")


def needs_all(size: int, end_bin: int) -> bool:
    """Whether values before this one are in the spectrum's upper half."""
    return end_bin > size // 4


def fft_needs(bits: int) -> tuple[str, ...]:
    """The runtime items that these lines name."""
    return tuple(f"mcuq_{name}_s{bits}" for name in ("first_2", "first_4", "stage", "spectrum"))


def _wrapped_s16(x: Integers) -> Integers:
    return x.astype(np.int16).astype(np.int64)


def _divided_s16(x: Integers, by: int) -> Integers:
    """x / by, rounded, as a product with the whole part of 32767 / by."""
    return (x * (32767 // by) + 16384) >> 15


def _product_s16(x: Integers, y: Integers) -> Integers:
    """Complex product of (..., 2) with twiddles (..., 2)."""
    real = (x[..., 0] * y[..., 0] - x[..., 1] * y[..., 1] + 16384) >> 15
    imaginary = (x[..., 0] * y[..., 1] + x[..., 1] * y[..., 0] + 16384) >> 15
    return _wrapped_s16(np.stack([real, imaginary], axis=-1))


def real_fft_s16(x: Integers) -> Integers:
    """The spectra (..., size / 2 + 1, 2), divided by size, of samples (..., size) of int16.

    Stages divide by their radix first and round all that they multiply to 16 bits, as KISS FFT does with 16 bits, whose
    bits these are: what is trained on features of TensorFlow's microfrontend saw its rounding.
    """
    size = x.shape[-1]
    points = size // 2
    tw = twiddles_s16(size).astype(np.int64)
    data = _ordered(x)
    length = 1
    for radix in radices(points):
        part = list(np.moveaxis(_divided_s16(data.reshape(*x.shape[:-1], -1, radix, length, 2), radix), -3, 0))
        if length > 1:
            # where the root is 1, 32767 here, a product would leave what was divided as it is
            roots, tw = tw[: 3 * length].reshape(length, 3, 2), tw[3 * length :]
            part[1:] = [_product_s16(part[k], roots[:, k - 1]) for k in (1, 2, 3)]
        found = [part[0] + part[1], part[0] - part[1]] if radix == 2 else _radix_4(part)
        data = _wrapped_s16(np.stack(found, axis=-3)).reshape(data.shape)
        length *= radix
    return _spectrum_s16(data, tw)


def _ordered(x: Integers) -> Integers:
    """Samples (..., size) as complex ones (..., size / 2, 2) in the order of their digits."""
    points = x.shape[-1] // 2
    data = np.empty((*x.shape[:-1], points, 2), np.int64)
    data[..., digit_order(points), :] = x.reshape(*x.shape[:-1], points, 2)
    return data


def _radix_4(part: list[Integers]) -> list[Integers]:
    even, odd = part[0] + part[2], part[0] - part[2]
    total, difference = part[1] + part[3], part[1] - part[3]
    turned = np.stack([difference[..., 1], -difference[..., 0]], axis=-1)  # times -i
    return [even + total, odd + turned, even - total, odd - turned]


def _spectrum_s16(data: Integers, tw: Integers) -> Integers:
    points = data.shape[-2]
    found = np.zeros((*data.shape[:-2], points + 1, 2), np.int64)
    first = _divided_s16(data[..., 0, :], 2)
    found[..., 0, 0] = _wrapped_s16(first[..., 0] + first[..., 1])
    found[..., points, 0] = _wrapped_s16(first[..., 0] - first[..., 1])
    k = np.arange(1, points // 2 + 1)
    low = _divided_s16(data[..., k, :], 2)
    high = _divided_s16(_wrapped_s16(data[..., points - k, :] * np.array([1, -1])), 2)
    total, difference = _wrapped_s16(low + high), _wrapped_s16(low - high)
    turned = _product_s16(difference, tw)
    found[..., k, :] = (total + turned) >> 1
    found[..., points - k, 0] = (total[..., 0] - turned[..., 0]) >> 1
    found[..., points - k, 1] = (turned[..., 1] - total[..., 1]) >> 1
    return found


def _high(x: Integers, y: Integers) -> Integers:
    """Upper word of a product of two words, towards minus infinity."""
    return (x * y) >> 32


def _product_s32(x: Integers, y: Integers) -> Integers:
    """Half of the complex product of (..., 2) with twiddles (..., 2)."""
    real = _high(x[..., 0], y[..., 0]) + _high(-x[..., 1], y[..., 1])
    imaginary = _high(x[..., 0], y[..., 1]) + _high(x[..., 1], y[..., 0])
    return np.stack([real, imaginary], axis=-1)


def real_fft_s32(x: Integers) -> Integers:
    """The spectra (..., size / 2 + 1, 2), divided by 2^halvings(size), of samples (..., size) of magnitudes at most
    2^(30 + halvings(size)) / size: no value is then above 2^30, and no sum above 2^31.

    Each stage halves, by the products with twiddles of 31 bits; the errors are those of one unit a stage.
    """
    size = x.shape[-1]
    tw = twiddles_s32(size).astype(np.int64)
    data = _ordered(x)
    length = 1
    for radix in radices(size // 2):
        part = list(np.moveaxis(data.reshape(*x.shape[:-1], -1, radix, length, 2), -3, 0))
        part[0] = part[0] >> 1
        if length > 1:
            roots, tw = tw[: 3 * length].reshape(length, 3, 2), tw[3 * length :]
            part[1:] = [_product_s32(part[k], roots[:, k - 1]) for k in (1, 2, 3)]
        else:
            part[1:] = [own >> 1 for own in part[1:]]
        found = [part[0] + part[1], part[0] - part[1]] if radix == 2 else _radix_4(part)
        data = np.stack(found, axis=-3).reshape(data.shape)
        length *= radix
    points = size // 2
    spectrum = np.zeros((*x.shape[:-1], points + 1, 2), np.int64)
    spectrum[..., 0, 0] = data[..., 0, 0] + data[..., 0, 1]
    spectrum[..., points, 0] = data[..., 0, 0] - data[..., 0, 1]
    k = np.arange(1, points // 2 + 1)
    low, high = data[..., k, :], data[..., points - k, :] * np.array([1, -1])
    turned = _product_s32(low - high, tw)
    total = (low + high) >> 1
    spectrum[..., k, :] = total + turned
    spectrum[..., points - k, :] = (total - turned) * np.array([1, -1])
    return spectrum
