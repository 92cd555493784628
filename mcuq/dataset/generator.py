"""Samples that Python code makes one after the other, so that there may be more of them than fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcuq.dataset.arrays import Arrays, ArraySlices, array_column
from mcuq.dataset.checks import LABELS_KEY, SINGLE_INPUT_KEY, dataset_of, input_keys, sample_shapes, shape_text
from mcuq.dataset.plain import as_array
from mcuq.dataset.samples import InputSpec, Sample
from mcuq.errors import DataError

Item = Arrays | Sequence[Arrays]


@runtime_checkable
class Reader(Protocol):
    """ONNX Runtime's CalibrationDataReader: each call gives the next item, None after the last."""

    def get_next(self) -> Item | None:
        """Return the next item."""


@runtime_checkable
class Indexed(Protocol):
    """PyTorch's Dataset: items by number."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int, /) -> Item:
        """Return one."""


Source = Iterable[Item] | Callable[[], Iterable[Item]] | Reader | Indexed


@dataclass(frozen=True, eq=False)
class Generated:
    """The samples of a source, read as one iterates; a generator gives them once. Their number is not known."""

    inputs: tuple[InputSpec, ...]
    source: Source

    def __iter__(self) -> Iterator[Sample]:
        """Yield samples as a Dataset does. Raises DataError for the first item that does not fit, or for none."""
        for where, item in _numbered(self.source, "calibration data"):
            yield from _samples(where, _inputs(where, item, self.inputs), self.inputs)


def is_source(data: object) -> TypeGuard[Source]:
    """Whether `data` makes samples: a function, a list of dictionaries or of tuples, a reader, or what iterates or has
    items by number and is no array or file.
    """
    if isinstance(data, list | tuple):
        if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[1], Mapping):
            return False  # (inputs, labels)
        return bool(data) and (isinstance(data[0], Mapping) or _has_parts(data[0]))
    held = isinstance(data, str | bytes | Mapping) or hasattr(data, "__array__")
    return callable(data) or (isinstance(data, Iterable | Reader | Indexed) and not held)


def is_read_once(source: Source) -> bool:
    """Whether the samples of a source are gone when they were read."""
    return isinstance(source, Iterator | Reader)


def from_generator(source: Source, inputs: Sequence[InputSpec]) -> Generated:
    """Return the samples of an iterable, or of a function that returns one.

    Each item is one sample, or a batch of any size of them: an array, a dictionary of one array for each input name,
    or a tuple or list of one array for each input, behind which there may be labels, which are not read. A sample has
    the input's shape, whose batch of one may be left out, and any float or integer dtype; a batch has one dimension
    more in front, or the batch of one for it. What has `get_next`, or items by number only, is read by these.
    """
    return Generated(tuple(inputs), source)


def labelled_samples(
    source: Source, inputs: Sequence[InputSpec], called: str
) -> Iterator[tuple[Sample, NDArray[Any] | None]]:
    """The samples of a source, each with its label, or None for an item without labels; as `from_generator` reads them.

    `called` is what errors call the data.
    """
    for where, item in _numbered(source, called):
        samples = list(_samples(where, _inputs(where, item, inputs), inputs))
        given = _labels(item, inputs)
        if given is None:
            yield from ((sample, None) for sample in samples)
            continue
        labels = np.atleast_1d(as_array(f"{where}: labels", given))
        if len(labels) != len(samples):
            raise DataError(
                f"{where}: shape {shape_text(labels.shape)} of its labels does not fit {len(samples)} samples; "
                "give one class number each"
            )
        yield from zip(samples, labels, strict=True)


def _numbered(source: Source, called: str) -> Iterator[tuple[str, Item]]:
    """Each item with where it is, for errors. Raises DataError for none."""
    number = -1
    for number, item in enumerate(_items(source, called)):
        yield f"{called}, item {number}", item
    if number < 0:
        raise DataError(
            f"{called}: gives no samples; give at least one. A generator that was read before gives no "
            "more: make it anew, or give a function that returns it"
        )


def _samples(where: str, arrays: Mapping[str, ArrayLike], inputs: Sequence[InputSpec]) -> Iterable[Sample]:
    keys = input_keys(where, arrays, inputs)
    columns = [_batch(f"{where}: array '{key}'", arrays[key], spec) for key, spec in zip(keys, inputs, strict=True)]
    return dataset_of(where, inputs, columns, None)


def _items(source: Source, called: str) -> Iterable[Item]:
    if isinstance(source, Reader):
        return _read(source)
    if callable(source):
        source = source()
        if not isinstance(source, Iterable | Reader | Indexed):
            raise DataError(f"{called}: the function returns {type(source).__name__}; return an iterator of samples")
        return _items(source, called)
    return source if isinstance(source, Iterable) else (source[index] for index in range(len(source)))


def _read(reader: Reader) -> Iterator[Item]:
    while (item := reader.get_next()) is not None:
        yield item


def _has_parts(item: object) -> bool:
    """Whether an item is (inputs, labels) or the like, not the rows of one array."""
    return isinstance(item, list | tuple) and any(isinstance(part, Mapping) or hasattr(part, "shape") for part in item)


def _inputs(where: str, item: Any, inputs: Sequence[InputSpec]) -> Mapping[str, ArrayLike]:
    """The arrays of an item by name, labels maybe among them."""
    if not _has_parts(item):
        return item if isinstance(item, Mapping) else {SINGLE_INPUT_KEY: item}
    if isinstance(item[0], Mapping) and len(item) <= 2:
        return item[0]
    if len(item) in (len(inputs), len(inputs) + 1):
        return {spec.name: part for spec, part in zip(inputs, item, strict=False)}
    raise DataError(
        f"{where}: is a {type(item).__name__} of {len(item)}, the model has {len(inputs)} input"
        f"{'s' * (len(inputs) != 1)}; give an array for each, and labels behind them or not, or a dictionary of arrays "
        "by input name"
    )


def _labels(item: Any, inputs: Sequence[InputSpec]) -> ArrayLike | None:
    """What is behind the inputs of an item, or its entry "y", if anything."""
    if isinstance(item, Mapping):
        return item.get(LABELS_KEY) if LABELS_KEY not in {spec.name for spec in inputs} else None
    if not _has_parts(item):
        return None
    if isinstance(item[0], Mapping):
        return item[1] if len(item) == 2 else _labels(item[0], inputs)
    return item[-1] if len(item) == len(inputs) + 1 else None


def _batch(where: str, values: ArrayLike, spec: InputSpec) -> ArraySlices:
    """One sample becomes a batch of one."""
    column = array_column(where, values)
    return ArraySlices(where, column.values[np.newaxis]) if column.shape in sample_shapes(spec) else column
