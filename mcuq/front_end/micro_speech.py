"""The front end of TensorFlow's micro_speech ("microfrontend"), bit for bit: tables, and NumPy twins of
firmware/kernels/mcuq_micro_speech.h.

Samples -> Hann window -> FFT of 16 bits -> energies -> mel channels -> square root -> noise reduction -> gain control
(PCAN: Wang et al., "Trainable Frontend For Robust and Far-Field Keyword Spotting", 2017) -> logarithm. Real numbers of
its tables are rounded to float32 where the original has float.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import floor, isqrt

import numpy as np
from numpy.typing import NDArray

from mcuq.front_end.fft import Integers, real_fft_s16

WINDOW_BITS = 12
WEIGHT_BITS = 12
NOISE_BITS = 14
SNR_BITS = 12
GAIN_INPUTS = 32  # bits of what the table of gains is over


@dataclass(frozen=True)
class MicroSpeech:
    """Its parameters, as its authors name them; `gain_bits` etc. count bits."""

    sample_rate_hz: int = 16000
    frame_samples: int = 480
    channels: int = 40
    low_hz: float = 125.0
    high_hz: float = 7500.0
    smoothing_bits: int = 10
    even_smoothing: float = 0.025
    odd_smoothing: float = 0.06
    min_signal_remaining: float = 0.05
    pcan: bool = True
    pcan_strength: float = 0.95
    pcan_offset: float = 80.0
    gain_bits: int = 21
    log: bool = True
    scale_shift: int = 6

    @property
    def fft_samples(self) -> int:
        """A power of 2."""
        return int(1 << (self.frame_samples - 1).bit_length())

    @property
    def correction_bits(self) -> int:
        """What the FFT and the square root leave of the samples' scale."""
        return self.fft_samples.bit_length() - 1 - WEIGHT_BITS // 2

    @property
    def snr_shift(self) -> int:
        """Of a signal times its gain."""
        return self.gain_bits - self.correction_bits - SNR_BITS


@dataclass(frozen=True, eq=False)
class Filters:
    """Mel channels as runs of the spectrum's bins that follow one another: bin `first_bin` is the first of run 0, and
    run i has `widths[i]` bins, of which channel i takes the part `weights` and channel i - 1 the rest, `unweights`; the
    first run has no channel before it, and the last one none of its own."""

    first_bin: int
    widths: NDArray[np.uint8]
    weights: NDArray[np.int16]
    unweights: NDArray[np.int16]


@cache
def window_of(front: MicroSpeech) -> NDArray[np.int16]:
    """Periodic Hann, half a sample late, in units of 2^-12."""
    step = np.float32(2 * np.pi / front.frame_samples)
    angle = step * (np.arange(front.frame_samples, dtype=np.float32) + np.float32(0.5))
    half = np.float32(0.5)
    values = half - half * np.cos(angle.astype(np.float64)).astype(np.float32)
    found: NDArray[np.int16] = np.floor(values.astype(np.float64) * 2**WINDOW_BITS + 0.5).astype(np.int16)
    return found


def _mel(hz: np.float32) -> np.float32:
    return np.float32(1127) * _log_of_one_more(hz / np.float32(700))


# Coefficients of fdlibm's log1pf, by their bits.
_LN2_HIGH, _LN2_LOW = np.array([0x3F317180, 0x3717F7D1], np.uint32).view(np.float32)
_LOG = np.array([0x3F2AAAAB, 0x3ECCCCCD, 0x3E924925, 0x3E638E29, 0x3E3A3325, 0x3E1CD04F, 0x3E178897], np.uint32)
_LOG_TERMS = _LOG.view(np.float32)


def _log_of_one_more(x: np.float32) -> np.float32:
    """log(1 + x), x >= 0, with the roundings of fdlibm's log1pf, which most C libraries have: newer ones differ in the
    last place, and so would weights."""
    one, half, two = np.float32(1), np.float32(0.5), np.float32(2)
    f, c, k = x, np.float32(0), 0
    if x >= np.float32(0.41422):
        u = one + x
        mantissa, k = np.frexp(u)
        f, k = (two * mantissa, int(k) - 1) if mantissa < np.float32(0.5**0.5) else (mantissa, int(k))
        c = (one - (u - x) if k > 0 else x - (u - one)) / u
        f = f - one
    squared = half * f * f
    s = f / (two + f)
    z = s * s
    rest = np.float32(0)
    for term in _LOG_TERMS[::-1]:
        rest = z * (term + rest)
    if k == 0:
        return np.float32(f - (squared - s * (squared + rest)))
    whole = np.float32(k)
    return np.float32(whole * _LN2_HIGH - ((squared - (s * (squared + rest) + (whole * _LN2_LOW + c))) - f))


@cache
def filters_of(front: MicroSpeech) -> Filters:
    """The mel channels."""
    bin_hz = np.float32(0.5 * front.sample_rate_hz / np.float32(front.fft_samples // 2))
    low, high = _mel(np.float32(front.low_hz)), _mel(np.float32(front.high_hz))
    spacing = (high - low) / np.float32(front.channels + 1)
    edges = [low, *(low + spacing * np.float32(i + 1) for i in range(front.channels + 1))]
    first = at = int(np.float32(1.5) + np.float32(front.low_hz) / bin_hz)  # never the one of 0 Hz
    widths, weights = [], []
    for before, edge in pairwise(edges):
        start = at
        while (mel := _mel(np.float32(at) * bin_hz)) <= edge:
            weights.append((edge - mel) / (edge - before))
            at += 1
        widths.append(at - start)
    scale = 1 << WEIGHT_BITS
    return Filters(
        first,
        np.array(widths, np.uint8),
        np.array([floor(float(w) * scale + 0.5) for w in weights], np.int16),
        np.array([floor((1.0 - float(w)) * scale + 0.5) for w in weights], np.int16),
    )


def _gain(front: MicroSpeech, x: int) -> int:
    scaled = np.float32(x) / np.float32(1 << (front.smoothing_bits - front.correction_bits))
    power = np.float32(float(scaled + np.float32(front.pcan_offset)) ** -float(np.float32(front.pcan_strength)))
    return min(int(np.float32(1 << front.gain_bits) * power + np.float32(0.5)), 0x7FFF)


@cache
def gains_of(front: MicroSpeech) -> NDArray[np.int16]:
    """Those of 0, 1, and for each number of bits from 2 on (gain, slope, curvature, 0) of the numbers with as many."""
    values = [_gain(front, 0), _gain(front, 1)]
    for bits in range(2, GAIN_INPUTS + 1):
        x = 1 << (bits - 1)
        first, middle, last = (_gain(front, at) for at in (x, x + x // 2, min(2 * x, 2**GAIN_INPUTS - 1)))
        slope = 4 * (middle - first) - (last - first)
        values += [first, slope, last - first - slope, 0]
    return np.array(values[:-1], np.int64).astype(np.int16)


@cache
def log_table() -> NDArray[np.uint16]:
    """How far log2(1 + x) is above x, x = 0, 1/128 ... 1, in units of 2^-16."""
    x = np.arange(129) / 128
    return np.floor((np.log2(1 + x) - x) * 65536 + 0.5).astype(np.uint16)


def bits_of(x: Integers) -> Integers:
    """The number of bits of each of x >= 0, below 2^53."""
    return np.frexp(x.astype(np.float64))[1].astype(np.int64)


def root(x: int) -> int:
    """The square root, rounded to the nearest, but no more than 16 bits of a number of 32."""
    found = isqrt(x)
    return found + (x - found * found > found and found != 0xFFFF) if x < 2**32 else found + (x - found**2 > found)


def gain(x: Integers, gains: NDArray[np.int16]) -> Integers:
    """The gain for noise of x, by the curve through three points of all numbers with as many bits."""
    table = gains.astype(np.int64)
    bits = np.maximum(bits_of(x), 2)
    fraction = np.where(bits < 11, x << np.maximum(11 - bits, 0), x >> np.maximum(bits - 11, 0)) & 0x3FF
    at = 4 * bits - 6
    slope = ((table[np.minimum(at + 2, 124)] * fraction) >> 5) + (table[at + 1] << 5)
    curved = ((slope * fraction + (1 << 14)) >> 15) + table[at]
    return np.where(x <= 2, table[np.minimum(x, 2)], curved.astype(np.int16))


def shrink(x: Integers) -> Integers:
    """A signal's ratio to its noise, compressed: a square that goes over into a line."""
    return np.where(x < 2 << SNR_BITS, (x * x) >> 20, (x >> 6) - 64)


def log_scaled(x: Integers, scale_shift: int) -> Integers:
    """The natural logarithm of x > 1 in units of 2^-scale_shift."""
    whole = bits_of(x) - 1
    fraction = x - (1 << whole)
    fraction = np.where(whole < 16, fraction << np.maximum(16 - whole, 0), fraction >> np.maximum(whole - 16, 0))
    table = log_table().astype(np.int64)
    at = fraction >> 9
    # the slope between two entries counts 2^-7 of what it should, as in the original
    above = table[at] + (((table[at + 1] - table[at]) * (fraction - (at << 9))) >> 16)
    natural = (45426 * ((whole << 16) + fraction + above) + 32768) >> 16
    found: Integers = ((natural << scale_shift) + 32768) >> 16
    return found


def features(frames: Integers, front: MicroSpeech, noise: Integers | None = None) -> tuple[Integers, Integers]:
    """(features (frames, channels) of frames (frames, frame_samples), the noise estimate behind them); `noise` is the
    one before them, of (channels,): 0 at first."""
    filtered = channels_of(frames, front)
    estimate = np.zeros(front.channels, np.int64) if noise is None else noise
    found = np.empty_like(filtered)
    for i, signal in enumerate(filtered):
        found[i], estimate = reduce_noise(signal, estimate, front)
        if front.pcan:
            found[i] = shrink(((found[i] * gain(estimate, gains_of(front))) >> front.snr_shift) & 0xFFFFFFFF)
    if front.log:
        shift = front.correction_bits
        found = (found << max(shift, 0) >> max(-shift, 0)) & 0xFFFFFFFF
        found = np.where(found > 1, log_scaled(np.maximum(found, 2), front.scale_shift), 0)
    return np.minimum(found, 0xFFFF), estimate


def channels_of(frames: Integers, front: MicroSpeech) -> Integers:
    """(frames, channels) of amplitudes."""
    size = front.fft_samples
    windowed = ((frames * window_of(front).astype(np.int64)) >> WINDOW_BITS).astype(np.int16).astype(np.int64)
    # -32768 has no magnitude of 16 bits, and is passed over
    peak = np.where(windowed == -32768, 0, np.abs(windowed)).max(axis=1)
    shift = 15 - bits_of(peak)
    padded = np.zeros((len(frames), size), np.int64)
    padded[:, : front.frame_samples] = (windowed << shift[:, None]).astype(np.int16)
    spectrum = real_fft_s16(padded)
    filters = filters_of(front)
    energy = (spectrum**2).sum(axis=-1)[:, filters.first_bin :]
    ends = np.cumsum(filters.widths, dtype=np.int64)
    own = energy[:, : ends[-1]] * filters.weights
    before = energy[:, : ends[-1]] * filters.unweights
    starts = [0, *ends[:-1]]
    total = np.stack([own[:, a:b].sum(axis=1) for a, b in zip(starts, ends, strict=True)], axis=1)
    total[:, 1:] += np.stack([before[:, a:b].sum(axis=1) for a, b in zip(starts, ends, strict=True)], axis=1)[:, :-1]
    roots = np.array([[root(int(x)) for x in row] for row in total[:, 1:]], np.int64).reshape(len(frames), -1)
    found: Integers = roots >> shift[:, None]
    return found


def reduce_noise(signal: Integers, estimate: Integers, front: MicroSpeech) -> tuple[Integers, Integers]:
    """(the signal above its noise, the new estimate of that), (channels,) each."""
    smoothing = np.array([part_of(front.even_smoothing), part_of(front.odd_smoothing)])[np.arange(front.channels) % 2]
    scaled = (signal << front.smoothing_bits) & 0xFFFFFFFF
    estimate = ((scaled * smoothing + estimate * ((1 << NOISE_BITS) - smoothing)) >> NOISE_BITS) & 0xFFFFFFFF
    least = (signal * part_of(front.min_signal_remaining)) >> NOISE_BITS
    return np.maximum((scaled - np.minimum(estimate, scaled)) >> front.smoothing_bits, least), estimate


def part_of(x: float) -> int:
    """In units of 2^-14."""
    return int(np.float32(x) * np.float32(1 << NOISE_BITS))
