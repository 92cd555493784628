"""Features against the libraries' own, in dB: those of expected.npz, which make_expected.py has written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fronts import sound
from numpy.typing import NDArray
from test_micro_speech import vowels

from mcuq.front_end.conventions import Reals
from mcuq.front_end.read import parse_front_end

EXPECTED = np.load(Path(__file__).parent / "expected.npz")


def decibels(want: Reals, got: Reals) -> float:
    """What the features are above their errors."""
    return float(10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()))


def features(text: str, samples: NDArray[np.int16]) -> Reals:
    front = parse_front_end(text)
    return front.real(front.integers(samples)).astype(np.float64)


@pytest.mark.parametrize(("kind", "least"), [("kaldi", 55), ("torchaudio", 70), ("librosa", 75)])
def test_features_are_the_librarys(kind: str, least: float) -> None:
    got = features(f'kind = "{kind}"', EXPECTED["samples"])
    want = EXPECTED[kind].astype(np.float64)
    whole = len(got)  # frames that reach beyond the end are the library's alone
    assert 90 < whole <= len(want) <= whole + 2
    assert decibels(want[:whole], got) > least


def reference_mfcc(samples: NDArray[np.int16]) -> Reals:
    """Keyword spotting's of MLPerf Tiny, as tf.signal defines it: stft of a periodic Hann window, magnitudes,
    linear_to_mel_weight_matrix, log(x + 1e-6), mfccs_from_log_mel_spectrograms."""
    x = samples / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(640) / 640)
    frames = np.stack([x[i : i + 640] * window for i in range(0, len(x) - 639, 320)])
    magnitudes = np.abs(np.fft.rfft(frames, 1024))

    def mel(hz: Reals) -> Reals:
        return 1127 * np.log(1 + hz / 700)

    edges = np.linspace(mel(np.array(20.0)), mel(np.array(4000.0)), 42)
    bins = mel(np.arange(1, 513) * 8000 / 512)
    weights = np.zeros((513, 40))
    for i in range(40):
        rising = (bins - edges[i]) / (edges[i + 1] - edges[i])
        falling = (edges[i + 2] - bins) / (edges[i + 2] - edges[i + 1])
        weights[1:, i] = np.maximum(0, np.minimum(rising, falling))
    logarithms = np.log(magnitudes @ weights + 1e-6)
    angle = np.pi / 40 * (np.arange(40) + 0.5)[:, None] * np.arange(10)
    return 2 * logarithms @ np.cos(angle) / np.sqrt(2 * 40)


def test_mfcc_of_keyword_spotting_are_within_70_db_of_the_reference() -> None:
    for samples in (vowels(32000), EXPECTED["samples"], sound(48000)[:6000], np.zeros(1000, np.int16)):
        got, want = features('kind = "tensorflow"', samples), reference_mfcc(samples)
        assert got.shape == want.shape
        assert decibels(want, got) > 70


def test_loud_tones_are_as_exact_as_a_window_of_16_bits() -> None:
    """Between them and what leaks of them into far channels the window's rounding stands, 16 bits below."""
    time = np.arange(48000)
    samples = (32767 * np.sin(np.pi * time**2 / 96000 * 0.9)).astype(np.int16)
    got, want = features('kind = "tensorflow"', samples), reference_mfcc(samples)
    assert decibels(want, got) > 20
    quiet = samples // 100
    assert decibels(reference_mfcc(quiet), features('kind = "tensorflow"', quiet)) > 60
