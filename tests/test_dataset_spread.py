"""Samples that are kept while all pass by: how many, which, and as what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuq.dataset import Sample, Spread


def numbered(count: int) -> Iterator[Sample]:
    return ({"x": np.full((1, 2), index, np.float32)} for index in range(count))


def kept_indices(count: int, most: int) -> list[int]:
    spread = Spread(numbered(count), most)
    assert sum(1 for _ in spread) == spread.seen == count
    return [int(sample["x"][0, 0]) for sample in spread.kept]


def test_all_samples_pass_by_unchanged_and_in_order() -> None:
    passed = [int(sample["x"][0, 0]) for sample in Spread(numbered(20), 3)]
    assert passed == list(range(20))


@pytest.mark.parametrize("count", [0, 1, 7, 8])
def test_up_to_the_most_all_are_kept(count: int) -> None:
    assert kept_indices(count, 8) == list(range(count))


@given(count=st.integers(9, 3000), most=st.integers(2, 60))
def test_beyond_that_as_many_as_may_be_are_kept_in_order_and_evenly_spread(count: int, most: int) -> None:
    kept = kept_indices(count, most)
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))
    gaps = np.diff([-1, *kept, count])
    # Multiples of the golden ratio leave gaps of three lengths, the longest at most 1 + 2 * 1.618 times the mean.
    assert gaps.max() <= 5 * count / len(kept) + 1


@pytest.mark.parametrize("period", [2, 3, 5, 10, 12, 16])
def test_a_period_of_the_data_does_not_show_in_what_is_kept(period: int) -> None:
    classes = np.bincount(np.array(kept_indices(10_000, 256)) % period, minlength=period)
    assert classes.max() <= 1.35 * 256 / period
    assert classes.min() >= 0.65 * 256 / period


def test_a_buffer_that_is_written_to_again_does_not_change_what_was_kept() -> None:
    def reused() -> Iterator[Sample]:
        buffer = np.zeros((1, 2), np.float32)
        for index in range(4):
            buffer[:] = index
            yield {"x": buffer}

    spread = Spread(reused(), 4)
    for _ in spread:
        pass
    assert [int(sample["x"][0, 0]) for sample in spread.kept] == [0, 1, 2, 3]


def test_of_samples_whose_number_is_known_the_first_the_last_and_those_evenly_between_are_kept() -> None:
    spread = Spread(list(numbered(101)), 5)
    assert sum(1 for _ in spread) == 101
    assert [int(sample["x"][0, 0]) for sample in spread.kept] == [0, 25, 50, 75, 100]
