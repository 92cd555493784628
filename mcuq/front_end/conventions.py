"""What libraries mean by a mel spectrum or cepstra: windows, filters and transforms in real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log10
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Kind = Literal["tensorflow", "torchaudio", "librosa", "kaldi"]
Window = Literal["hann", "hamming", "povey", "rectangular"]
Spectrum = Literal["power", "magnitude"]
MelScale = Literal["htk", "slaney"]
MelNorm = Literal["none", "slaney"]
Log = Literal["natural", "db"]


@dataclass(frozen=True)
class Spectral:
    """A front end by its numbers; `kind` says what is left: how triangles and cosines are meant.

    `log_offset` is added before the logarithm, and `log_floor` the least that it is taken of. `mfcc` is the number of
    cepstral coefficients, 0 for logarithms of mel channels. `sample_unit` is what a sample of 1 is.
    """

    kind: Kind
    sample_rate_hz: int
    frame_samples: int
    fft_samples: int
    window: Window
    window_periodic: bool
    remove_dc: bool
    preemphasis: float
    spectrum: Spectrum
    mels: int
    low_hz: float
    high_hz: float
    mel_scale: MelScale
    mel_norm: MelNorm
    log: Log
    log_offset: float
    log_floor: float
    mfcc: int
    lifter: float
    sample_unit: float

    @property
    def order(self) -> int:
        """Of the spectrum's values in the samples."""
        return 2 if self.spectrum == "power" else 1

    @property
    def log_unit(self) -> float:
        """What a binary logarithm of 1 is."""
        return log(2) if self.log == "natural" else 10 * log10(2)


def window(front: Spectral) -> Reals:
    """(frame_samples,)."""
    n = front.frame_samples
    turn = np.cos(2 * np.pi * np.arange(n) / (n if front.window_periodic else n - 1))
    hann = 0.5 - 0.5 * turn
    kinds = {"hann": hann, "hamming": 0.54 - 0.46 * turn, "povey": hann**0.85, "rectangular": np.ones(n)}
    return kinds[front.window]


def mels_of(hz: Reals, scale: MelScale) -> Reals:
    """HTK's scale is 1127 ln(1 + f / 700) (Young et al., The HTK Book); Slaney's (Auditory Toolbox, 1998) is linear to
    1 kHz, 200/3 Hz each, and logarithmic from there, 27 to a factor of 6.4."""
    if scale == "htk":
        return 1127 * np.log1p(hz / 700)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / log(6.4))


def hz_of(mels: Reals, scale: MelScale) -> Reals:
    """The inverse of `mels_of`."""
    if scale == "htk":
        return 700 * np.expm1(mels / 1127)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((np.maximum(mels, 15) - 15) * log(6.4) / 27))


def filter_bank(front: Spectral) -> Reals:
    """(mels, fft_samples / 2 + 1): triangles whose sides are straight over mels (kaldi, tensorflow) or Hz."""
    bins = np.arange(front.fft_samples // 2 + 1) * front.sample_rate_hz / front.fft_samples
    ends = mels_of(np.array([front.low_hz, front.high_hz]), front.mel_scale)
    edges = np.linspace(ends[0], ends[1], front.mels + 2)
    over_mels = front.kind in ("kaldi", "tensorflow")
    at = mels_of(bins, front.mel_scale) if over_mels else bins
    edges_hz = hz_of(edges, front.mel_scale)
    corners = edges if over_mels else edges_hz
    left, middle, right = (corners[i : i + front.mels, None] for i in range(3))
    bank = np.maximum(np.minimum((at - left) / (middle - left), (right - at) / (right - middle)), 0)
    if front.kind in ("kaldi", "tensorflow"):
        bank[:, 0] = 0  # they leave out 0 Hz
    if front.kind == "kaldi":
        bank[:, -1] = 0  # and half of the rate
    if front.mel_norm == "slaney":
        bank *= 2 / (edges_hz[2:] - edges_hz[:-2])[:, None]
    return bank


def transform(front: Spectral) -> Reals:
    """(mfcc, mels): the orthonormal DCT of type II, but that TensorFlow scales its first row as all others, and Kaldi
    lifts."""
    k, n = np.arange(front.mfcc)[:, None], np.arange(front.mels)[None, :]
    rows = np.sqrt(2 / front.mels) * np.cos(np.pi * k * (n + 0.5) / front.mels)
    if front.kind != "tensorflow":
        rows[0] /= np.sqrt(2)
    if front.lifter:
        rows *= 1 + front.lifter / 2 * np.sin(np.pi * k / front.lifter)
    found: Reals = rows
    return found
