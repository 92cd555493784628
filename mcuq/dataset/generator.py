"""Samples that Python code makes one after the other, so that there may be more of them than fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from mcuq.dataset.arrays import ArraySlices, array_column
from mcuq.dataset.checks import SINGLE_INPUT_KEY, dataset_of, input_keys, sample_shapes
from mcuq.dataset.samples import InputSpec, Sample
from mcuq.errors import DataError

Item = ArrayLike | Mapping[str, ArrayLike]
Source = Iterable[Item] | Callable[[], Iterable[Item]]


@dataclass(frozen=True, eq=False)
class Generated:
    """The samples of a source, read as one iterates; a generator gives them once. Their number is not known."""

    inputs: tuple[InputSpec, ...]
    source: Source

    def __iter__(self) -> Iterator[Sample]:
        """Yield samples as a Dataset does. Raises DataError for the first item that does not fit, or for none."""
        items = self.source() if callable(self.source) else self.source
        if not isinstance(items, Iterable):
            raise DataError(
                f"calibration data: the function returns {type(items).__name__}; return an iterator of samples"
            )
        number = -1
        for number, item in enumerate(items):
            yield from _samples(f"calibration data, item {number}", item, self.inputs)
        if number < 0:
            raise DataError(
                "calibration data: gives no samples; give at least one. A generator that was read before gives no "
                "more: make it anew, or give a function that returns it"
            )


def is_source(data: object) -> TypeGuard[Source]:
    """Whether `data` makes samples: a function, a list of dictionaries, or what iterates and is no array or file."""
    if isinstance(data, list | tuple):
        return bool(data) and isinstance(data[0], Mapping)
    held = isinstance(data, str | Mapping) or hasattr(data, "__array__")
    return callable(data) or (isinstance(data, Iterable) and not held)


def from_generator(source: Source, inputs: Sequence[InputSpec]) -> Generated:
    """Return the samples of an iterable, or of a function that returns one.

    Each item is one sample, or a batch of any size of them: an array, or a dictionary of one array for each input
    name. A sample has the input's shape, whose batch of one may be left out, and any float or integer dtype; a batch
    has one dimension more in front, or the batch of one for it.
    """
    return Generated(tuple(inputs), source)


def _samples(where: str, item: Item, inputs: Sequence[InputSpec]) -> Iterable[Sample]:
    if isinstance(item, list | tuple) and any(hasattr(part, "shape") for part in item):
        raise DataError(
            f"{where}: is a {type(item).__name__} of {len(item)}, such as (inputs, labels); give the inputs alone, "
            "an array or a dictionary of arrays by input name"
        )
    arrays = item if isinstance(item, Mapping) else {SINGLE_INPUT_KEY: item}
    keys = input_keys(where, arrays, inputs)
    columns = [_batch(f"{where}: array '{key}'", arrays[key], spec) for key, spec in zip(keys, inputs, strict=True)]
    return dataset_of(where, inputs, columns, None)


def _batch(where: str, values: ArrayLike, spec: InputSpec) -> ArraySlices:
    """One sample becomes a batch of one."""
    column = array_column(where, values)
    return ArraySlices(where, column.values[np.newaxis]) if column.shape in sample_shapes(spec) else column
