"""Samples that are chosen of many: how many, which, and as what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuq.dataset import (
    InputSpec,
    Sample,
    from_arrays,
    from_generator,
    held_back_part,
    other_part,
    scattered_indices,
    spread_indices,
    spread_samples,
)
from mcuq.errors import DataError

SPECS = (InputSpec("x", (1, 2)),)
X = InputSpec("x", (1, 1))


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


@pytest.mark.parametrize(("count", "held"), [(2, 1), (3, 1), (15, 7), (40, 16), (100, 25)])
def test_the_two_parts_of_a_data_set_hold_all_samples_once(count: int, held: int) -> None:
    data = from_arrays(np.arange(count)[:, None], [X], np.arange(count) % 3)
    parts = held_back_part(data), other_part(data)
    assert [len(part) for part in parts] == [held, count - held]
    seen = []
    for part in parts:
        values = [float(sample["x"][0, 0]) for sample in part]
        assert values == np.concatenate([batch["x"] for batch in part.batches(4)])[:, 0, 0].tolist()
        assert part.labels is not None
        assert part.labels.tolist() == [value % 3 for value in values]
        seen += values
    assert sorted(seen) == list(range(count))


def test_a_sample_in_a_part_is_named_by_its_place_in_the_whole() -> None:
    values = np.arange(40.0)[:, None]
    (index, *_) = (int(sample["x"][0, 0]) for sample in held_back_part(from_arrays(values, [X])))
    values[index] = np.nan
    with pytest.raises(DataError, match=f"^data: array 'x', sample {index}: 1 of 1 values are NaN"):
        list(held_back_part(from_arrays(values, [X])))


def test_one_sample_has_no_parts() -> None:
    data = from_arrays(np.zeros((1, 1)), [X])
    message = "calibration data: has one sample, and none to judge by; give about a hundred, or --data DATA"
    for part in (held_back_part, other_part):
        with pytest.raises(DataError, match=f"^{message}$"):
            part(data)


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
