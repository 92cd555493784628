"""A front end of sensors as a value: samples of several channels filtered, decimated and scaled, in integers, as the C
does it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mcuq.front_end.fft import Integers

VALUE_BITS = 8  # of a sample behind the point, once it is filtered
COEFFICIENT_BITS = 30  # of a biquad's coefficients behind the point: they are below 2 in magnitude
TAP_BITS = 15  # of the decimation's
VALUE_MAX = 2**29 - 1  # values are limited to +-: five products of 2^31 * 2^29 have a sum below 2^63
_TAPS_EACH_SIDE = 4  # of the decimation, times its factor

Biquad = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Sensor:
    """Samples of `channels`, one behind the other, int16, each of which is filtered by `biquads` (b0, b1, b2, a1, a2),
    one after the other, and of which every `decimation`-th is kept, of a low-pass filter. The network's input has the
    last that fill it, and is computed again behind `hop_frames` new ones. Values are (sample * sample_unit - mean) /
    std, one of each for all or for each channel. `source` is the file, as it was read."""

    sample_rate_hz: float
    channels: int
    biquads: tuple[Biquad, ...]
    decimation: int
    hop_frames: int
    sample_unit: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str

    @property
    def features(self) -> int:
        """Of one frame: what is kept of all channels at a time."""
        return self.channels

    @property
    def units(self) -> NDArray[np.float64]:
        """What an integer feature of 1 is, for each of them, before mean and std."""
        return np.full(self.channels, self.sample_unit / (1 << VALUE_BITS))

    @cached_property
    def coefficients(self) -> NDArray[np.int64]:
        """(biquads, 5): b0, b1, b2, a1, a2 in 2^-COEFFICIENT_BITS."""
        real = np.array(self.biquads, np.float64).reshape(-1, 5)
        found: NDArray[np.int64] = np.floor(real * (1 << COEFFICIENT_BITS) + 0.5).astype(np.int64)
        return found

    @cached_property
    def taps(self) -> NDArray[np.int64]:
        """Of the decimation's filter, in 2^-TAP_BITS, with a sum of exactly 1."""
        if self.decimation == 1:
            return np.array([1 << TAP_BITS])
        real = low_pass(self.decimation)
        found = np.floor(real * (1 << TAP_BITS) + 0.5).astype(np.int64)
        found[len(found) // 2] += (1 << TAP_BITS) - found.sum()
        return found

    def frames(self, samples: int) -> int:
        """How many frames so many samples of each channel make."""
        return samples // self.decimation

    def samples(self, frames: int) -> int:
        """The fewest samples of each channel that make so many frames."""
        return frames * self.decimation

    def integers(self, samples: NDArray[np.int16]) -> Integers:
        """(frames, channels) of a stream (samples, channels) from its beginning, as the C computes them."""
        x = samples.astype(np.int64) << VALUE_BITS
        for section in self.coefficients:
            x = _biquad(x, section)
        if self.decimation == 1:
            return x
        x = np.concatenate([np.zeros((len(self.taps) - 1, self.channels), np.int64), x])
        ends = np.arange(1, self.frames(len(samples)) + 1) * self.decimation
        places = ends[:, None] - 1 + np.arange(len(self.taps))
        sums = np.einsum("ftc,t->fc", x[places], self.taps)
        limited: Integers = ((sums + (1 << (TAP_BITS - 1))) >> TAP_BITS).clip(-VALUE_MAX, VALUE_MAX)
        return limited

    def real(self, integers: Integers) -> NDArray[np.float32]:
        """The features that the network was trained on."""
        values = (integers * self.units - np.array(self.mean)) / np.array(self.std)
        found: NDArray[np.float32] = values.astype(np.float32)
        return found

    def described(self) -> str:
        """In a few words."""
        filters = f", {len(self.biquads)} biquads" if self.biquads else ""
        kept = f", every {self.decimation}th sample" if self.decimation > 1 else ""
        return f"sensor: {self.channels} channels of {self.sample_rate_hz:g} Hz{filters}{kept}"


def low_pass(decimation: int) -> NDArray[np.float64]:
    """The 8 * decimation + 1 taps of a decimation's filter, a sinc in a Hamming window; they come to 1."""
    size = 2 * _TAPS_EACH_SIDE * decimation
    at = np.arange(size + 1) - size / 2
    window = 0.54 + 0.46 * np.cos(2 * np.pi * at / size)
    taps = np.sinc(at * _PASSED / decimation) * window
    found: NDArray[np.float64] = taps / taps.sum()
    return found


_PASSED = 0.75  # of the new rate's half: there the filter has fallen by 6 dB


def biquad_of(kind: str, corner_hz: float, rate_hz: float) -> Biquad:
    """A Butterworth filter of second order, "lowpass" or "highpass", by the bilinear transform with its corner where it
    is to be. Source: Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.1."""
    warped = np.tan(np.pi * corner_hz / rate_hz)
    square, damped = warped * warped, np.sqrt(2) * warped
    scale = 1 / (1 + damped + square)
    b = (square, 2 * square, square) if kind == "lowpass" else (1.0, -2.0, 1.0)
    found = (b[0] * scale, b[1] * scale, b[2] * scale, 2 * (square - 1) * scale, (1 - damped + square) * scale)
    return tuple(map(float, found))  # type: ignore[return-value]


def _biquad(x: Integers, section: NDArray[np.int64]) -> Integers:
    """Direct form I; what is cut off of a sum is added to the next, so that a constant stays one."""
    b0, b1, b2, a1, a2 = section.tolist()
    found = np.empty_like(x)
    for channel in range(x.shape[1]):
        x1 = x2 = y1 = y2 = rest = 0
        for i, own in enumerate(x[:, channel].tolist()):
            total = b0 * own + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2 + rest
            y = max(-VALUE_MAX, min(VALUE_MAX, total >> COEFFICIENT_BITS))
            rest = total & ((1 << COEFFICIENT_BITS) - 1)
            x2, x1, y2, y1 = x1, own, y1, y
            found[i, channel] = y
    return found
