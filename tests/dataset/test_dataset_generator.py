"""Samples from Python code: iterables and functions, items of each form, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcuq.dataset import InputSpec, from_generator, is_read_once, is_source
from mcuq.errors import DataError

AUDIO = InputSpec("audio", (1, 4, 3))
PAIR = (InputSpec("left", (1, 2)), InputSpec("right", (1, 3)))


def samples(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def stacked(source: Any, *inputs: InputSpec) -> np.ndarray:
    return np.stack([sample[inputs[0].name] for sample in from_generator(source, inputs)])


@pytest.mark.parametrize("shape", [(4, 3), (1, 4, 3)])
@pytest.mark.parametrize(
    "as_item", [np.asarray, lambda x: {"x": x}, lambda x: {"audio": x, "unused": 0}, np.ndarray.tolist]
)
def test_an_item_is_a_sample_with_or_without_its_batch_as_an_array_or_by_name(
    shape: tuple[int, ...], as_item: Callable[[np.ndarray], Any]
) -> None:
    x = samples(5, 4, 3)
    np.testing.assert_array_equal(stacked((as_item(s.reshape(shape)) for s in x), AUDIO), x[:, None])


@given(cuts=st.lists(st.integers(0, 9), max_size=4).map(sorted))
def test_items_may_be_batches_of_any_size(cuts: list[int]) -> None:
    x = samples(9, 4, 3)
    batches = [batch for batch in np.split(x, cuts) if len(batch)]
    np.testing.assert_array_equal(stacked(iter(batches), AUDIO), x[:, None])


def test_a_model_of_batch_two_takes_two_at_a_time() -> None:
    x = samples(6, 2, 3)
    spec = InputSpec("x", (2, 3))
    np.testing.assert_array_equal(stacked(iter(x), spec), x)
    np.testing.assert_array_equal(stacked(iter([x[:4], x[4:]]), spec), x)


def test_a_model_of_several_inputs_takes_dictionaries() -> None:
    left, right = samples(3, 2), samples(3, 3)
    found = list(from_generator(({"left": a, "right": b} for a, b in zip(left, right, strict=True)), PAIR))
    np.testing.assert_array_equal(np.concatenate([s["left"] for s in found]), left)
    np.testing.assert_array_equal(np.concatenate([s["right"] for s in found]), right)


@pytest.mark.parametrize(
    "as_item",
    [
        lambda x: (x, np.int64(7)),
        lambda x: [x[None], np.array([7])],
        lambda x: (x,),
        lambda x: ({"audio": x}, 7),
    ],
    ids=["sample and label", "batch", "alone", "dictionary and label"],
)
def test_labels_behind_the_inputs_are_not_read(as_item: Callable[[np.ndarray], Any]) -> None:
    x = samples(5, 4, 3)
    np.testing.assert_array_equal(stacked((as_item(s) for s in x), AUDIO), x[:, None])
    assert is_source([as_item(s) for s in x])
    np.testing.assert_array_equal(stacked([as_item(s) for s in x], AUDIO), x[:, None])


def test_a_tuple_has_the_inputs_in_their_order() -> None:
    left, right = samples(3, 2), samples(3, 3)
    for item in ((left, right), [left, right, np.zeros(3)]):
        found = list(from_generator([item], PAIR))
        np.testing.assert_array_equal(np.concatenate([s["left"] for s in found]), left)
        np.testing.assert_array_equal(np.concatenate([s["right"] for s in found]), right)


class Reader:
    """As onnxruntime.quantization.CalibrationDataReader is: an iterator that has no length."""

    def __init__(self, x: np.ndarray) -> None:
        self._samples = iter(x)

    def get_next(self) -> dict[str, np.ndarray] | None:
        x = next(self._samples, None)
        return None if x is None else {"audio": x[None]}

    def __len__(self) -> int:
        raise NotImplementedError


def test_a_calibration_reader_is_read_to_its_end_once() -> None:
    x = samples(5, 4, 3)
    assert is_source(Reader(x))
    assert is_read_once(Reader(x))
    np.testing.assert_array_equal(stacked(Reader(x), AUDIO), x[:, None])
    np.testing.assert_array_equal(stacked(lambda: Reader(x), AUDIO), x[:, None])


class Indexed:
    """As a map-style torch.utils.data.Dataset is: it does not end an iteration by itself."""

    def __init__(self, x: np.ndarray) -> None:
        self._x = x

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self._x[index % len(self._x)], 7


def test_a_dataset_of_items_by_number_is_read_to_its_length() -> None:
    x = samples(5, 4, 3)
    assert is_source(Indexed(x))
    assert not is_read_once(Indexed(x))
    for source in (Indexed(x), lambda: Indexed(x)):
        np.testing.assert_array_equal(stacked(source, AUDIO), x[:, None])


def test_integers_become_float32() -> None:
    found = stacked(iter([np.arange(12, dtype=np.uint8).reshape(4, 3)]), AUDIO)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.ravel(), np.arange(12))


def test_an_entry_y_of_an_item_is_no_input() -> None:
    x = samples(2, 4, 3)
    np.testing.assert_array_equal(stacked(({"x": s, "y": "dog"} for s in x), AUDIO), x[:, None])


def test_a_function_or_a_list_can_be_read_again_and_a_generator_once() -> None:
    x = samples(3, 4, 3)
    for source in (lambda: iter(x), [{"x": s} for s in x]):
        data = from_generator(source, [AUDIO])
        assert len(list(data)) == len(list(data)) == 3
    data = from_generator(iter(x), [AUDIO])
    assert len(list(data)) == 3
    assert_refused(EMPTY, data.source, AUDIO)


def test_items_are_made_when_they_are_reached() -> None:
    made: list[int] = []

    def source() -> Iterator[np.ndarray]:
        for index, x in enumerate(samples(3, 4, 3)):
            made.append(index)
            yield x

    reader = iter(from_generator(source, [AUDIO]))
    assert made == []
    next(reader)
    assert made == [0]


class _Torchlike:
    def __array__(self) -> np.ndarray:
        return np.zeros(3)

    def __iter__(self) -> Iterator[float]:
        return iter([0.0])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (iter([1]), True),
        ((x for x in [1]), True),
        (lambda: [1], True),
        ([{"x": [1]}], True),
        (({"x": [1]},), True),
        (range(3), True),
        ([], False),
        ([[1.0]], False),
        (np.zeros(3), False),
        (_Torchlike(), False),
        ("inputs.npz", False),
        (Path("inputs.npz"), False),
        ({"x": [1]}, False),
        (({"x": [1]}, [7]), False),
        ((np.zeros((2, 3)), np.zeros(2)), False),
    ],
    ids=[
        *("iterator", "generator", "function", "list", "tuple", "range", "nothing", "numbers", "array", "torch"),
        *("text", "path", "dictionary", "dictionary and labels", "array and labels"),
    ],
)
def test_what_makes_samples_is_told_from_arrays_and_files(data: object, expected: bool) -> None:
    assert is_source(data) == expected


EMPTY = (
    "calibration data: gives no samples; give at least one. A generator that was read before gives no more: make it "
    "anew, or give a function that returns it"
)


def assert_refused(message: str, source: Any, *inputs: InputSpec) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        list(from_generator(source, inputs))


GOOD: Mapping[str, list[float]] = {"left": [1, 2], "right": [1, 2, 3]}


@pytest.mark.parametrize(
    ("source", "inputs", "message"),
    [
        (iter([]), [AUDIO], EMPTY),
        (lambda: 3, [AUDIO], "calibration data: the function returns int; return an iterator of samples"),
        (
            iter([samples(1, 4, 3)[0], samples(1, 3, 4)[0]]),
            [AUDIO],
            "calibration data, item 1: array 'x': shape (3, 4) does not fit the model's input 'audio'; "
            "give (N, 4, 3) for N samples",
        ),
        (
            iter([(np.zeros((4, 3)), np.int64(7), "dog")]),
            [AUDIO],
            "calibration data, item 0: is a tuple of 3, the model has 1 input; give an array for each, and labels "
            "behind them or not, or a dictionary of arrays by input name",
        ),
        (
            iter([[np.zeros((8, 2))]]),
            PAIR,
            "calibration data, item 0: is a list of 1, the model has 2 inputs; give an array for each, and labels "
            "behind them or not, or a dictionary of arrays by input name",
        ),
        (
            iter([np.zeros((4, 3), complex)]),
            [AUDIO],
            "calibration data, item 0: array 'x': dtype complex128 is not supported; "
            "use float32, float64, float16 or integers",
        ),
        (
            iter([GOOD, {"left": [1, 2], "rigt": [1, 2, 3]}]),
            PAIR,
            "calibration data, item 1: no array 'right' for the model's input 'right'; the arrays are: "
            "'left', 'rigt'; did you mean 'rigt'?",
        ),
        (
            iter([{"left": [[1, 2], [3, 4]], "right": [1, 2, 3]}]),
            PAIR,
            "calibration data, item 0: the inputs have different numbers of samples: 'left' has 2, 'right' has 1",
        ),
        (
            iter([np.zeros((4, 3)), np.full((2, 4, 3), np.nan)]),
            [AUDIO],
            "calibration data, item 1: array 'x', sample 0: 12 of 12 values are NaN, Inf or beyond float32; "
            "mend or remove the sample",
        ),
        (
            iter([[[1.0, 2.0], [3.0]]]),
            [AUDIO],
            "calibration data, item 0: array 'x': its rows differ in length; give an array of one shape",
        ),
        (
            iter(["inputs.npz"]),
            [AUDIO],
            "calibration data, item 0: array 'x': dtype <U10 is not supported; "
            "use float32, float64, float16 or integers",
        ),
    ],
)
def test_what_does_not_fit_is_refused(source: Any, inputs: list[InputSpec], message: str) -> None:
    assert_refused(message, source, *inputs)
