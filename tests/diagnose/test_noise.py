"""Signal and noise, summed up over batches."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from mcuq.diagnose.noise import Noise, decibels


def test_noise_a_hundredth_of_the_signal_is_20_db() -> None:
    noise = Noise()
    noise.add(np.full((2, 3), 10.0), np.full((2, 3), 11.0))
    assert noise.sqnr_db == pytest.approx(20.0)


def test_batches_add_up_to_what_all_samples_give_at_once() -> None:
    rng = np.random.default_rng(0)
    want, got = rng.normal(size=(10, 4, 5)), rng.normal(size=(10, 4, 5))
    whole, parts = Noise(), Noise()
    whole.add(want, got)
    for i in range(0, 10, 3):
        parts.add(want[i : i + 3], got[i : i + 3])
    assert parts.sqnr_db == pytest.approx(whole.sqnr_db)
    assert parts.cosine == pytest.approx(whole.cosine)
    assert parts.worst_channel == pytest.approx(whole.worst_channel)


def test_the_worst_channel_is_the_one_with_the_least_ratio_not_the_most_noise() -> None:
    want = np.array([[100.0, 1.0, 0.0]])
    noise = Noise()
    noise.add(want, want + np.array([[2.0, 0.5, 0.0]]))
    index, ratio = noise.worst_channel
    assert index == 1
    assert ratio == pytest.approx(decibels(1.0, 0.25))


def test_cosine_tells_direction_and_not_length() -> None:
    noise = Noise()
    noise.add(np.array([[1.0, 2.0]]), np.array([[2.0, 4.0]]))
    assert noise.cosine == pytest.approx(1.0)
    other = Noise()
    other.add(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert other.cosine == pytest.approx(0.0)


def test_equal_values_are_exact_and_noise_without_signal_is_none() -> None:
    noise = Noise()
    noise.add(np.ones((1, 2)), np.ones((1, 2)))
    assert noise.sqnr_db == inf
    assert decibels(0.0, 1.0) == -inf


def test_a_scalar_output_is_one_channel() -> None:
    noise = Noise()
    noise.add(np.array([4.0, 4.0]), np.array([4.0, 5.0]))
    assert noise.worst_channel == (0, pytest.approx(10 * np.log10(32)))
