"""A front end as a value: what makes features of samples, how many of them are the network's input, and when."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import ModelError
from mcuq.front_end import micro_speech, spectral
from mcuq.front_end.conventions import Spectral
from mcuq.front_end.fft import Integers
from mcuq.front_end.micro_speech import MicroSpeech
from mcuq.front_end.sensor import Sensor


@dataclass(frozen=True)
class FrontEnd:
    """`signal` makes features of frames that begin `hop_samples` apart; a stream begins as if `lead_samples` zeros were
    before it. The network's input has the last frames that fill it, and is computed again behind `hop_frames` new ones.
    Features are (value - mean) / std, one of each for all or for each feature; a value of micro_speech is
    `feature_scale` times its integer. `source` is the file, as it was read."""

    signal: Spectral | MicroSpeech
    hop_samples: int
    lead_samples: int
    hop_frames: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    feature_scale: float
    source: str

    @property
    def sample_rate_hz(self) -> int:
        """Of the samples."""
        return self.signal.sample_rate_hz

    @property
    def frame_samples(self) -> int:
        """Of one frame."""
        return self.signal.frame_samples

    @property
    def features(self) -> int:
        """Of one frame."""
        if isinstance(self.signal, MicroSpeech):
            return self.signal.channels
        return self.signal.mfcc or self.signal.mels

    @property
    def units(self) -> NDArray[np.float64]:
        """What an integer feature of 1 is, for each of them, before mean and std."""
        if isinstance(self.signal, MicroSpeech):
            return np.full(self.features, self.feature_scale)
        return np.broadcast_to(spectral.tables_of(self.signal).units, (self.features,)) / (1 << spectral.LOG_BITS)

    def frames(self, samples: int) -> int:
        """How many frames so many samples make."""
        return max(0, (samples + self.lead_samples - self.frame_samples) // self.hop_samples + 1)

    def samples(self, frames: int) -> int:
        """The fewest samples that make so many frames."""
        return max(0, (frames - 1) * self.hop_samples + self.frame_samples - self.lead_samples)

    def integers(self, samples: NDArray[np.int16]) -> Integers:
        """(frames, features) of a stream from its beginning, as the C computes them."""
        x = np.concatenate([np.zeros(self.lead_samples, np.int64), samples.astype(np.int64)])
        if len(x) < self.frame_samples:
            return np.zeros((0, self.features), np.int64)
        frames = np.lib.stride_tricks.sliding_window_view(x, self.frame_samples)[:: self.hop_samples]
        if isinstance(self.signal, MicroSpeech):
            return micro_speech.features(frames, self.signal)[0]
        return spectral.features(frames, self.signal)

    def real(self, integers: Integers) -> NDArray[np.float32]:
        """The features that the network was trained on."""
        values = (integers * self.units - np.array(self.mean)) / np.array(self.std)
        found: NDArray[np.float32] = values.astype(np.float32)
        return found

    def described(self) -> str:
        """In a few words."""
        signal = self.signal
        kind = "micro_speech" if isinstance(signal, MicroSpeech) else signal.kind
        what = "channels" if isinstance(signal, MicroSpeech) else "MFCC" if signal.mfcc else "mel channels"
        return (
            f"{kind}: {self.features} {what} of frames of {self.frame_samples} samples, {self.hop_samples} apart, "
            f"{self.sample_rate_hz} Hz"
        )


@dataclass(frozen=True, eq=False)
class LastStep:
    """Integer features to codes of the network's input: (feature * multiplier + offset) >> shift, limited to low..high;
    one rounding, halves up. `multipliers` are below 2^31 in magnitude, one or one a feature, and `offsets` have the
    rounding's half."""

    multipliers: NDArray[np.int32]
    offsets: NDArray[np.int64]
    shift: int
    low: int
    high: int

    def codes(self, integers: Integers) -> Integers:
        """Of (..., features)."""
        found = (integers * self.multipliers.astype(np.int64) + self.offsets) >> self.shift
        return found.clip(self.low, self.high)


def last_step(front: FrontEnd | Sensor, scale: float, zero_point: int, bounds: tuple[int, int]) -> LastStep:
    """For an input whose real value is scale * (code - zero_point). Raises ModelError where integers do not hold
    what it computes with."""
    factors = front.units / (np.array(front.std) * scale)
    shift = min(31 - frexp(np.abs(factors).max())[1], 40)
    points = zero_point - np.array(front.mean) / (np.array(front.std) * scale)
    if shift < 1 or np.abs(points).max() * 2.0**shift >= 2.0**62:
        raise ModelError(
            f"--front-end: features of {np.abs(front.units).max():.4g} a step, mean {np.abs(front.mean).max():.4g} and "
            f"std {np.min(front.std):.4g}, lie far outside an input of {scale:.4g} a step; mend mean, std and units, "
            "or calibrate with recordings"
        )
    offsets = np.broadcast_to(points * 2.0**shift, factors.shape)
    multipliers = np.floor(factors * 2.0**shift + 0.5)
    return LastStep(
        _once(np.minimum(multipliers, 2**31 - 1).astype(np.int32)),
        _once(np.floor(offsets + 0.5).astype(np.int64) + (1 << (shift - 1))),
        shift,
        *bounds,
    )


def _once(values: NDArray[Any]) -> NDArray[Any]:
    """One value where all are the same."""
    return values[:1] if (values == values[0]).all() else values
