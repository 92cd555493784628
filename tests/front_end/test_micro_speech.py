"""micro_speech's front end against the Python binding of the original, and each of its functions against its C."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave

import numpy as np
import pytest
from fronts import sound
from numpy.typing import NDArray
from pymicro_features import MicroFrontend

from mcuq.front_end.front_end import FrontEnd
from mcuq.front_end.micro_speech import MicroSpeech, filters_of, gains_of, window_of

FRONT = FrontEnd(MicroSpeech(), 160, 0, 1, (0.0,), (1.0,), 10 / 256, "")


def original(samples: NDArray[np.int16]) -> NDArray[np.int64]:
    """(frames, channels) of integers: the binding gives them times 10 / 256."""
    front, data, found = MicroFrontend(), samples.tobytes(), []
    while len(data) >= 320:
        answer = front.process_samples(data[:320])
        data = data[2 * answer.samples_read :]
        if answer.features:
            found.append(answer.features)
    return np.round(np.array(found) * 25.6).astype(np.int64)


def vowels(samples: int) -> NDArray[np.int16]:
    """What sounds like speech: pulses of a gliding pitch through resonances that change four times a second."""
    rng = np.random.default_rng(1)
    time = np.arange(samples) / 16000
    pulses = np.diff(np.floor(np.cumsum(110 + 30 * np.sin(2 * np.pi * 0.7 * time)) / 16000), prepend=0)
    found = np.zeros(samples)
    for first in range(0, samples, 4000):
        part = pulses[first : first + 4000] + rng.normal(0, 0.02, len(pulses[first : first + 4000]))
        decay = np.arange(400) / 16000
        for hz in rng.uniform(250, 3500, 3):
            part = part + np.convolve(part, np.exp(-400 * decay) * np.sin(2 * np.pi * hz * decay))[: len(part)]
        found[first : first + 4000] = part * rng.uniform(0, 1)
    return (found * 9000 / np.abs(found).max() * 3).clip(-32768, 32767).astype(np.int16)


def spoken(text: str) -> NDArray[np.int16]:
    """A synthesizer's speech, at 16 kHz."""
    program = shutil.which("espeak-ng")
    assert program, "espeak-ng is missing; install Debian's espeak-ng"
    said = subprocess.run([program, "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(said)) as file:
        x, rate = np.frombuffer(file.readframes(1 << 30), np.int16), file.getframerate()
    at = np.arange(len(x) * 16000 // rate) * rate / 16000
    return np.interp(at, np.arange(len(x)), x).astype(np.int16)


def test_features_are_the_originals_on_60_seconds() -> None:
    samples = np.concatenate([sound(30 * 16000), vowels(30 * 16000)])
    want = original(samples)
    assert want.shape == (FRONT.frames(len(samples)), 40)
    assert 0 == want.min() < 600 < want.max()
    assert np.array_equal(FRONT.integers(samples), want)


@pytest.mark.toolchain
def test_features_are_the_originals_on_speech() -> None:
    speech = spoken("Yes. No. Up. Down. Left, right; stop and go! The quick brown fox jumps over the lazy dog.")
    assert len(speech) > 3 * 16000
    for samples in (speech, speech // 40, np.concatenate([sound(16000), speech])):
        assert np.array_equal(FRONT.integers(samples), original(samples))


def test_tables_have_what_they_are_to_have() -> None:
    """What a bin gives to two channels makes 1, the window is symmetric but for float32's rounding, gains fall."""
    filters = filters_of(MicroSpeech())
    assert filters.first_bin == 5 and filters.widths.sum() == 236 and len(filters.widths) == 41
    assert np.array_equal(filters.weights + filters.unweights, np.full(236, 4096))
    window = window_of(MicroSpeech())
    assert window.max() == 4096 and window.min() == 0 and np.abs(window - window[::-1]).max() == 1
    gains = gains_of(MicroSpeech())
    assert len(gains) == 125 and gains[0] == 32636 and np.all(np.diff(gains[[0, 1, *range(2, 125, 4)]]) <= 0)
