"""The KL divergence of a range, by hand and by its purpose: it must not collapse where the usual form does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcuq.quantize.entropy_range import divergence, smoothed
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.ranges import RangeCollector

MINMAX, ENTROPY = CalibrationMethod("minmax"), CalibrationMethod("entropy")

# Integers 0..3 at 4 levels over 0..3: scale 1, zero point -2, steps [-0.5, 0.5], [0.5, 1.5], ...
EDGES = np.arange(0, 4.5, 0.5)


def at(shares: list[float], high: float) -> float:
    return float(divergence(EDGES, np.array(shares) / sum(shares), np.zeros(1), np.array([high]), 4)[0])


def test_values_spread_evenly_over_each_step_lose_nothing() -> None:
    assert at([3, 2, 2, 5, 5, 1, 1, 0], 3.0) == pytest.approx(0, abs=1e-12)


def test_a_step_that_holds_two_densities_loses_their_divergence_from_its_mean() -> None:
    # The step [0.5, 1.5] holds 3/8 and 1/8 of all values, its mean is 2/8 each.
    expected = 3 / 8 * np.log(3 / 2) + 1 / 8 * np.log(1 / 2)
    assert at([2, 3, 1, 1, 1, 0, 0, 0], 3.0) == pytest.approx(expected)


def test_what_is_clipped_joins_the_last_step() -> None:
    # Over 0..1.5 steps are half as wide, the last ends at 1.75, in the middle of the fourth bin; all bins are level.
    inside, last, beyond = 1.75 / 4, 0.5 / 4, 2.25 / 4
    expected = (last + beyond) * np.log((last + beyond) / last) + np.log(inside)
    assert at([1] * 8, 1.5) == pytest.approx(expected)


def test_clipping_where_the_last_step_is_empty_is_out_of_the_question() -> None:
    assert at([1, 1, 0, 0, 0, 0, 0, 1], 1.5) == np.inf


@given(
    shares=hnp.arrays(np.float64, 8, elements=st.integers(1, 100).map(float)),
    high=st.floats(0.1, 3.5),
)
def test_a_divergence_is_never_negative(shares: np.ndarray, high: float) -> None:
    assert at(shares.tolist(), high) >= 0


@given(counts=hnp.arrays(np.int64, st.integers(1, 50), elements=st.integers(0, 9)), bins=st.floats(0, 80))
def test_smoothing_keeps_the_sum_and_the_length(counts: np.ndarray, bins: float) -> None:
    counts[0] += 1
    shares = smoothed(counts, bins)
    assert shares.shape == counts.shape
    assert shares.sum() == pytest.approx(1)


def test_smoothing_spreads_a_count_over_a_triangle_and_reflects_it_at_the_ends() -> None:
    np.testing.assert_allclose(smoothed(np.array([0, 0, 9, 0, 0]), 3), np.array([1, 2, 3, 2, 1]) / 9)
    np.testing.assert_allclose(smoothed(np.array([9, 0, 0, 0, 0]), 2), np.array([3, 1, 0, 0, 0]) / 4)


def with_zeros(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.maximum(rng.normal(-1, 1, n), 0)


def with_repeated_values(rng: np.random.Generator, n: int) -> np.ndarray:
    """A ReLU behind a convolution over an image that is mostly black: each channel's bias, many times."""
    biases = np.maximum(rng.normal(0, 0.1, 12), 0)
    return np.where(rng.uniform(size=n) < 0.9, rng.choice(biases, n), np.abs(rng.normal(0, 1, n)))


def pixels(rng: np.random.Generator, n: int) -> np.ndarray:
    """Mostly dark, all of 0..255."""
    return np.minimum(rng.gamma(1.5, 40, n), 255).round() / 255


def on_and_off(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([0.0, 0.2, 1.0], n)


@pytest.mark.parametrize("drawn", [with_zeros, with_repeated_values, pixels, on_and_off])
def test_values_that_repeat_do_not_collapse_the_range(drawn: Callable[..., np.ndarray]) -> None:
    values = drawn(np.random.default_rng(0), 100_000).astype(np.float32)
    collector = RangeCollector("t")
    collector.update(values)
    _, high = collector.range(ENTROPY)
    assert np.mean(values > high) < 1e-3
    assert high > 0.6 * collector.range(MINMAX)[1]


def test_few_values_do_not_collapse_the_range() -> None:
    values = np.random.default_rng(0).normal(size=60).astype(np.float32)
    collector = RangeCollector("t")
    collector.update(values)
    low, high = collector.range(ENTROPY)
    assert np.mean((values < low) | (values > high)) <= 0.05


@pytest.mark.parametrize("outliers", [1, 3])
def test_outliers_in_a_million_are_clipped_and_the_rest_is_not(outliers: int) -> None:
    values = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    collector = RangeCollector("t")
    collector.update(np.append(values, np.full(outliers, 300.0, np.float32)))
    low, high = collector.range(ENTROPY)
    assert 3 < high < 30
    assert -6 < low < -3


def test_a_normal_distribution_is_clipped_where_little_is_lost() -> None:
    values = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    collector = RangeCollector("t")
    collector.update(values)
    low, high = collector.range(ENTROPY)
    assert 3 < -low < 5
    assert 3 < high < 5
