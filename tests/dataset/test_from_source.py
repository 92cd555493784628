"""Samples that code makes, read as a data set: once, with their labels, in bounded memory."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mcuq.dataset import InputSpec, from_source
from mcuq.errors import DataError

X = InputSpec("x", (1, 3))
PAIR = (InputSpec("left", (1, 2)), InputSpec("right", (1, 3)))


def rows(count: int) -> np.ndarray:
    return np.arange(3 * count, dtype=np.float32).reshape(count, 3)


def test_samples_are_those_of_the_source_as_often_as_one_reads() -> None:
    data = from_source(iter([rows(4)[:3], rows(4)[3]]), [X])
    assert (len(data), data.labels) == (4, None)
    for _ in range(2):
        np.testing.assert_array_equal([sample["x"][0] for sample in data], rows(4))
    np.testing.assert_array_equal(next(data.batches(4))["x"][:, 0], rows(4))


def test_a_buffer_that_is_written_to_again_is_read_in_time() -> None:
    def source() -> Iterator[np.ndarray]:
        buffer = np.zeros(3, np.float32)
        for row in rows(4):
            buffer[:] = row
            yield buffer

    np.testing.assert_array_equal([sample["x"][0] for sample in from_source(source, [X])], rows(4))


def test_several_inputs_keep_their_arrays_and_labels() -> None:
    left, right = rows(4)[:, :2], -rows(4)
    data = from_source(zip(left, right, [3, 1, 2, 0], strict=True), PAIR)
    assert data.labels is not None
    assert data.labels.tolist() == [3, 1, 2, 0]
    np.testing.assert_array_equal([s["left"][0] for s in data], left)
    np.testing.assert_array_equal([s["right"][0] for s in data], right)


@pytest.mark.parametrize(
    "source",
    [
        lambda: [(row, 7) for row in rows(2)],
        lambda: [(row, np.int64(7)) for row in rows(2)],
        lambda: [(rows(2), [7, 7])],
        lambda: [({"x": rows(2)}, np.array([7, 7]))],
        lambda: [{"x": row, "y": 7} for row in rows(2)],
        lambda: [{"x": rows(2), "y": np.array([7.0, 7.0])}],
    ],
)
def test_labels_of_samples_and_batches_in_every_form(source: Callable[[], Any]) -> None:
    data = from_source(source, [X])
    assert data.labels is not None
    assert data.labels.tolist() == [7, 7]


def test_labels_beside_the_source_go_before_those_of_items() -> None:
    data = from_source(iter([(row, 7) for row in rows(2)]), [X], [1, 2])
    assert data.labels is not None
    assert data.labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [],
            "data: gives no samples; give at least one. A generator that was read before gives no more: make it anew, "
            "or give a function that returns it",
        ),
        ([(rows(1)[0], 1), rows(1)], "data, sample 1: has no label, those before have one; give all or none labels"),
        ([rows(1), (rows(1)[0], 1)], "data, sample 1: has a label, those before have none; give all or none labels"),
        (
            [(rows(2), [1, 2, 3])],
            "data, item 0: shape (3,) of its labels does not fit 2 samples; give one class number each",
        ),
        ([(rows(1)[0], "dog")], "data: labels: dtype <U3 is not supported; give integer class numbers"),
        ([(rows(1)[0], 0.5)], "data: labels: sample 0 has 0.5, no class number; give integers"),
        (
            [np.full(3, np.nan)],
            "data, item 0: array 'x', sample 0: 3 of 3 values are NaN, Inf or beyond float32; mend or remove the "
            "sample",
        ),
    ],
)
def test_what_does_not_fit_is_told(items: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        from_source(iter(items), [X])


def test_memory_does_not_grow_with_the_samples() -> None:
    def peak_bytes(count: int) -> int:
        spec = InputSpec("x", (1, 10_000))
        tracemalloc.start()
        data = from_source((np.full(10_000, i, np.float32) for i in range(count)), [spec])
        assert sum(1 for _ in data) == count
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_bytes(5)
    assert peak_bytes(200) < peak_bytes(5) + 100_000
