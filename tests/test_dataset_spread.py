"""Samples that are chosen of many: how many, which, and as what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuq.dataset import Sample, from_generator, scattered_indices, spread_indices, spread_samples
from mcuq.dataset.samples import InputSpec

SPECS = (InputSpec("x", (1, 2)),)


def numbered(count: int) -> list[Sample]:
    return [{"x": np.full((1, 2), index, np.float32)} for index in range(count)]


def numbers(samples: list[Sample]) -> list[int]:
    return [int(sample["x"][0, 0]) for sample in samples]


@pytest.mark.parametrize("count", [0, 1, 7, 8])
def test_up_to_the_most_all_are_chosen(count: int) -> None:
    assert numbers(spread_samples(numbered(count), 8)) == list(range(count))


@given(count=st.integers(61, 3000), most=st.integers(2, 60))
def test_beyond_that_as_many_as_may_be_are_chosen_from_equal_parts(count: int, most: int) -> None:
    chosen = spread_indices(count, most)
    assert len(chosen) == (most - 1 if (count + 1) % most == 0 else most)
    assert chosen[0] >= 0
    assert chosen[-1] < count
    gaps = np.diff([-1, *chosen, count])
    assert gaps.min() >= 1
    assert gaps.max() <= 2 * count / len(chosen) + 2


def test_of_fewer_than_twice_the_most_the_first_and_the_last_are_chosen() -> None:
    chosen = spread_indices(500, 256)
    assert (chosen[0], chosen[-1]) == (0, 499)
    assert set(np.diff(chosen)) == {1, 2}


def test_one_of_many_may_be_chosen() -> None:
    assert spread_indices(100, 1) == [0]


@pytest.mark.parametrize("period", [2, 3, 5, 10, 12, 16])
@pytest.mark.parametrize("count", [511, 512, 765, 767, 1000, 1023, 2551, 2560, 3061, 10_000])
def test_classes_in_turn_are_all_chosen(count: int, period: int) -> None:
    classes = np.bincount(np.array(spread_indices(count, 256)) % period, minlength=period)
    assert classes.min() >= 0.2 * 256 / period


@pytest.mark.parametrize("count", [1, 2, 10, 100, 1000])
def test_each_part_of_scattered_indices_lies_over_all_of_them(count: int) -> None:
    order = scattered_indices(count)
    assert sorted(order) == list(range(count))
    for part in (order[:10], order[-10:], order[: count // 2]):
        between = np.diff([-1, *sorted(part), count])
        assert between.max() <= 3 * (count + 1) / (len(part) + 1)


def test_of_samples_whose_number_is_not_known_the_same_are_chosen() -> None:
    source = from_generator(lambda: (sample["x"] for sample in numbered(101)), SPECS)
    assert numbers(spread_samples(source, 5)) == numbers(spread_samples(numbered(101), 5))


def test_a_buffer_that_is_written_to_again_does_not_change_what_was_chosen() -> None:
    def reused() -> Iterator[np.ndarray]:
        buffer = np.zeros((1, 2), np.float32)
        for index in range(4):
            buffer[:] = index
            yield buffer

    assert numbers(spread_samples(from_generator(reused, SPECS), 4)) == [0, 1, 2, 3]
