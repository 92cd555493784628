"""Samples that are already in memory, or in a memory map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcuq.dataset.checks import LABELS_KEY, SINGLE_INPUT_KEY, dataset_of, input_keys, sample_shapes
from mcuq.dataset.plain import as_array
from mcuq.dataset.samples import Dataset, InputSpec

Arrays = ArrayLike | Mapping[str, ArrayLike]


@dataclass(frozen=True, eq=False)
class ArraySlices:
    """A column of slices along the first axis of `values`; nothing is copied before it is reached."""

    where: str
    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self), samples):
            yield self.values[start : start + samples]

    def place(self, index: int) -> str:
        return f"{self.where}, sample {index}"


def from_arrays(
    x: Arrays | tuple[Arrays, ArrayLike], inputs: Sequence[InputSpec], labels: ArrayLike | None = None
) -> Dataset:
    """Return the data set of `x`: one array, or one per input name; labels are `labels`, else its "y".

    A pair (x, y) is such an x and its labels.

    Arrays have shape (N, *input shape), where an input's batch of one may be left out, of any float or
    integer dtype; labels are N integers. Raises DataError where anything does not fit the model.
    """
    if labels is None and is_pair(x, inputs):
        x, labels = cast(tuple[Arrays, ArrayLike], x)
    arrays = {str(k): v for k, v in x.items()} if isinstance(x, Mapping) else {SINGLE_INPUT_KEY: cast(ArrayLike, x)}
    keys = input_keys("data", arrays, inputs)
    if labels is None and LABELS_KEY not in keys:
        labels = arrays.get(LABELS_KEY)
    return dataset_of(
        "data",
        inputs,
        [array_column(f"data: array '{key}'", arrays[key]) for key in keys],
        None if labels is None else array_column("data: labels", labels),
    )


def array_column(where: str, values: ArrayLike) -> ArraySlices:
    """Return `values` as a column; raises DataError where they are no array of one shape."""
    return ArraySlices(where, as_array(where, values))


def is_pair(data: object, inputs: Sequence[InputSpec]) -> bool:
    """Whether `data` is (inputs, labels): two of something, of which the first is no single sample."""
    if not (isinstance(data, tuple) and len(data) == 2):
        return False
    first = data[0]
    if isinstance(first, Mapping):
        return not isinstance(data[1], Mapping)
    return len(inputs) == 1 and hasattr(first, "shape") and tuple(first.shape) not in sample_shapes(inputs[0])
