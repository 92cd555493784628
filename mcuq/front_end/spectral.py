"""Mel spectra and cepstra in integers: tables, and NumPy twins of what templates/front_end/spectral.c.j2 computes.

Samples -> (no mean, pre-emphasis) -> window -> FFT of 32 bits -> power or magnitude -> mel filters -> logarithm -> DCT.
What is rounded: the window's values and the filters' weights, to 16 bits; products with the window and stages of the
FFT, to 2^-25 of the largest sample of the frame; log2 to 2^-16; cosines to 16 bits, and their sums to 2^-16. Filtered
sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from mcuq.arithmetic.powers import binary_logarithm
from mcuq.front_end.conventions import Spectral, filter_bank, transform, window
from mcuq.front_end.fft import Integers, halvings, real_fft_s32

LOG_BITS = 16  # fraction bits of logarithms
EMPHASIS_BITS = 16
FINE_BITS = 8  # fraction bits of samples without their mean, or emphasized
NOTHING = -(1 << 29)  # for the logarithm of 0: below all others


@dataclass(frozen=True, eq=False)
class Tables:
    """What the C has of a front end.

    `window` in units of 2^-15. The filters are runs of the spectrum's bins: that of channel i begins at bin `starts[i]`
    and has `widths[i]` weights, in units of 1/65535 of its largest. `log_offsets` are added to the channels' binary
    logarithms, in units of 2^-16, and `added` * 2^(shift - added_bits) to their sums before, where 2^shift is by what
    the samples' values were multiplied, or its square. `cosines` (features, channels) in units of 2^-15 of a feature;
    `units` are the features' own, of 2^-16 of which they are whole numbers.
    """

    window: NDArray[np.int16]
    starts: NDArray[np.uint16]
    widths: NDArray[np.uint16]
    weights: NDArray[np.uint16]
    log_offsets: NDArray[np.int32]
    added: NDArray[np.uint32]
    added_bits: int
    log_floor: int
    cosines: NDArray[np.int16] | None
    units: NDArray[np.float64]


@cache
def tables_of(front: Spectral) -> Tables:
    """The tables of a front end."""
    bank = filter_bank(front)
    starts = np.array([np.flatnonzero(row)[0] if row.any() else 0 for row in bank])
    widths = np.array(
        [np.flatnonzero(row)[-1] + 1 - start if row.any() else 0 for row, start in zip(bank, starts, strict=True)]
    )
    most = np.where(widths > 0, bank.max(axis=1), 1.0)
    weights = [
        np.floor(bank[i, a : a + n] / most[i] * 65535 + 0.5)
        for i, (a, n) in enumerate(zip(starts, widths, strict=True))
    ]
    # what a sum of the C is to be multiplied by, where the samples were by 1
    down = front.order * (halvings(front.fft_samples) + 1 - fine_bits(front))
    real = most / 65535 * 2.0**down * front.sample_unit**front.order
    added = front.log_offset / real
    added_bits = 31 - floor(log2(added.max())) if front.log_offset else 0
    cosines, units = None, np.full(front.mels, front.log_unit)
    if front.mfcc:
        rows = transform(front)
        largest = np.abs(rows).max(axis=1)
        cosines = np.floor(rows / largest[:, None] * 32767 + 0.5).astype(np.int16)
        units = front.log_unit * largest * 32768 / 32767
    return Tables(
        np.minimum(np.floor(window(front) * 32768 + 0.5), 32767).astype(np.int16),
        starts.astype(np.uint16),
        widths.astype(np.uint16),
        np.concatenate(weights).astype(np.uint16),
        np.floor(np.log2(real) * 2**LOG_BITS + 0.5).astype(np.int32),
        np.minimum(np.floor(added * 2.0**added_bits + 0.5), 2**32 - 1).astype(np.uint32),
        added_bits,
        floor(log2(front.log_floor) * 2**LOG_BITS + 0.5),
        cosines,
        units,
    )


def fine_bits(front: Spectral) -> int:
    """Fraction bits of what is windowed."""
    return FINE_BITS if front.remove_dc or front.preemphasis else 0


def data_bits(front: Spectral) -> int:
    """Of the magnitude of what is windowed, once shifted: the FFT takes half of it."""
    return 31 + halvings(front.fft_samples) - (front.fft_samples.bit_length() - 1)


def emphasis(front: Spectral) -> int:
    """In units of 2^-EMPHASIS_BITS."""
    return floor(front.preemphasis * (1 << EMPHASIS_BITS) + 0.5)


def features(frames: Integers, front: Spectral) -> Integers:
    """(frames, features) of frames (frames, frame_samples) of int16, in 2^-16 of their units."""
    tables = tables_of(front)
    x = frames << fine_bits(front)
    if front.remove_dc:
        n = frames.shape[1]
        x = x - ((frames.sum(axis=1, keepdims=True) << FINE_BITS) + n // 2) // n
    if front.preemphasis:
        before = np.concatenate([x[:, :1], x[:, :-1]], axis=1)
        x = x - ((before * emphasis(front) + (1 << (EMPHASIS_BITS - 1))) >> EMPHASIS_BITS)
    shift = data_bits(front) - _bits((x ^ (x >> 63)).max(axis=1))
    padded = np.zeros((len(x), front.fft_samples), np.int64)
    padded[:, : x.shape[1]] = ((x << shift[:, None]) * tables.window.astype(np.int64)) >> 16
    spectrum = real_fft_s32(padded)
    values = (spectrum**2).sum(axis=-1)
    if front.order == 1:
        values = near_root(values)
    logarithms = _logarithms(values, front.order * shift, tables)
    logarithms -= front.order * shift[:, None] << LOG_BITS
    logarithms = np.maximum(logarithms, tables.log_floor)
    if tables.cosines is None:
        return logarithms
    return (logarithms @ tables.cosines.astype(np.int64).T + (1 << 14)) >> 15


def _logarithms(values: Integers, shift: Integers, tables: Tables) -> Integers:
    """(frames, channels): the binary logarithms of filtered values, with their offsets."""
    bank = np.zeros((values.shape[1], len(tables.starts)), np.int64)
    at = 0
    for i, (start, width) in enumerate(zip(tables.starts.tolist(), tables.widths.tolist(), strict=True)):
        bank[start : start + width, i] = tables.weights[at : at + width]
        at += width
    upper, lower = (values >> 32) @ bank, (values & 0xFFFFFFFF) @ bank
    places = (shift - tables.added_bits)[:, None]
    added = tables.added.astype(np.int64)[None, :]
    below = [places < 0, places < 32]
    down, up, far = np.clip(-places, 0, 63), np.clip(places, 0, 31), np.clip(places - 32, 0, 30)
    carried = lower >> 32
    lower = (lower & 0xFFFFFFFF) + np.select(below, [added >> down, (added << up) & 0xFFFFFFFF], 0)
    upper = upper + carried + np.select(below, [0, (added << up) >> 32], added << far) + (lower >> 32)
    return _log2(upper, lower & 0xFFFFFFFF) + tables.log_offsets


def _log2(upper: Integers, lower: Integers) -> Integers:
    """The binary logarithm of upper * 2^32 + lower, upper < 2^62, in units of 2^-16."""
    is_long = upper >= 2**31
    # 63 bits are enough to tell the first 32
    top = np.where(is_long, upper, (upper << 32) | lower)
    bits = np.where(top >> 32 > 0, _bits(top >> 32) + 32, _bits(top & 0xFFFFFFFF))
    mantissa = np.where(bits > 32, top >> np.maximum(bits - 32, 0), top << np.maximum(32 - bits, 0))
    fraction = (binary_logarithm(np.maximum(mantissa, 2**31)).astype(np.int64) + 128) >> 8
    found = ((bits - 1 + 32 * is_long) << LOG_BITS) + fraction
    return np.where(top > 0, found, NOTHING)


def near_root(x: Integers) -> Integers:
    """The square root of x < 2^62, within 2^-20 of it and 1: two steps of Newton's method.

    The line that they begin from is within 4.6 % of the root of the upper word, and the first step within 0.1 %.
    """
    bits = np.where(x >> 32 > 0, _bits(x >> 32) + 32, _bits(x & 0xFFFFFFFF))
    room = (62 - bits) >> 1
    upper = (x << (2 * room)) >> 30
    line = 24019 + (upper >> 17) + (upper >> 19)
    near = (line + upper // line) >> 1
    rest = (upper - near * near) * 128
    root = ((near * 256 + np.sign(rest) * (np.abs(rest) // near)) << 7) >> room  # C divides towards 0
    return np.where(x > 0, root, 0)


def _bits(x: Integers) -> Integers:
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)
