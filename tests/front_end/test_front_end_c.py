"""The C of front ends against their twins, bit for bit, on every CPU."""

from __future__ import annotations

import numpy as np
import pytest
from front_end_c import CPUS
from fronts import FRAMES, SIGNALS, TENSORFLOW, front_of, port_of, probe_of, sound
from numpy.typing import NDArray

from mcuq.front_end.front_end import FrontEnd, last_step


def expected(
    front: FrontEnd, samples: NDArray[np.int16], scale: float, zero_point: int, dtype: str
) -> NDArray[np.int64]:
    """Inputs (inferences, FRAMES, features)."""
    info = np.iinfo(dtype)
    codes = last_step(front, scale, zero_point, (info.min, info.max)).codes(front.integers(samples))
    first = range(0, len(codes) - FRAMES + 1, front.hop_frames)
    return np.stack([codes[i : i + FRAMES] for i in first])


def given(samples: NDArray[np.int16], resets: bool, piece: int) -> bytes:
    return np.concatenate([np.array([resets, piece], np.int16), samples]).tobytes()


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_codes_of_its_twin_whatever_pieces_samples_come_in(name: str, cpu: str) -> None:
    front = front_of(SIGNALS[name], lead=len(name) % 2 == 0, own=len(name) % 3 == 0)
    count = front.samples(30 if cpu == "host" else 12) + 7
    streams = [sound(count, seed) for seed in (0, 1)]
    values = front.real(front.integers(streams[0]))
    dtype, scale, zero_point = "int16", float(np.abs(values).max()) / 30000, 0
    if len(name) % 2:
        scale = float(np.ptp(values)) / 240
        dtype, zero_point = "int8", round(-120 - values.min() / scale)
    probe, most = probe_of(cpu, front, port_of(front, dtype, scale, zero_point), count, features_first=len(name) == 5)
    pieces = [count, front.hop_samples, 1 if cpu == "host" else 100]
    answers = probe.run([given(x, True, piece) for x in streams for piece in pieces])
    for index, answer in enumerate(answers):
        want = expected(front, streams[index // len(pieces)], scale, zero_point, dtype)
        if len(name) == 5:
            want = want.swapaxes(1, 2)
        said, ran = np.frombuffer(answer[:8], np.int32)
        got = np.frombuffer(answer[8:], dtype).reshape(most, *want.shape[1:])[:ran]
        assert said == ran == len(want) > 3
        assert np.array_equal(got, want)
        assert len(np.unique(want)) > 20


@pytest.mark.toolchain
def test_keyword_spotting_hears_a_second_in_3_million_instructions_of_a_cortex_m4() -> None:
    front = FrontEnd(TENSORFLOW, 320, 0, 1, (0.0,), (1.0,), 10 / 256, "")
    counts = []
    for frames in (FRAMES + 1, FRAMES + 11):
        samples = np.random.default_rng(0).normal(0, 3000, front.samples(frames)).astype(np.int16)
        probe, _ = probe_of("cortex-m4", front, port_of(front), len(samples))
        probe.run([given(samples, True, front.hop_samples)])
        assert probe.instructions is not None
        counts.append(probe.instructions)
    a_second = (counts[1] - counts[0]) / 10 * front.sample_rate_hz / front.hop_samples
    assert 2e6 < a_second <= 3e6
