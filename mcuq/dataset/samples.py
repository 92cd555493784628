"""A data set as every other module sees it: float32 samples of the model's input shapes, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import DataError

Sample = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class InputSpec:
    """One input of a model: its name, its shape with the fixed batch as the first dimension, and the least and the
    greatest integer that it takes, where it takes integers alone."""

    name: str
    shape: tuple[int, ...]
    integers: tuple[int, int] | None = None


class Column(Protocol):
    """The values of one model input over all samples; every call of `blocks` reads from the start."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        """Yield (k, ...) arrays of any real dtype, k = `samples` in all but the last."""

    def place(self, index: int) -> str:
        """Return where sample `index` is, for an error."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples for a model, each read when it is reached, as often as one iterates.

    `labels` is (len,) of class numbers, or None; `label_names[label]` is the class's name where a folder of
    folders gave one. Iteration raises DataError for a sample that is not finite or cannot be read.
    """

    inputs: tuple[InputSpec, ...]
    columns: tuple[Column, ...]
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Sample]:
        """Yield, per sample, one float32 array of the model's input shape for each input name.

        The arrays may be views of the caller's or read-only: do not write to them.
        """
        for batch in self.batches(1):
            yield {name: values[0] for name, values in batch.items()}

    def batches(self, samples: int) -> Iterator[Sample]:
        """Yield arrays (samples, *input shape), the last with what is left; otherwise as iteration does."""
        if samples < 1:
            raise ValueError(f"a batch has at least one sample, got {samples}")
        start = 0
        for blocks in zip(*(column.blocks(samples) for column in self.columns), strict=True):
            yield {
                spec.name: _finite(block, spec, column, start)
                for block, spec, column in zip(blocks, self.inputs, self.columns, strict=True)
            }
            start += len(blocks[0])


def _finite(block: NDArray[Any], spec: InputSpec, column: Column, start: int) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(block, dtype=np.float32).reshape(len(block), *spec.shape)
    finite = np.isfinite(values)
    if not finite.all():
        not_finite = np.count_nonzero(~finite.reshape(len(block), -1), axis=1)
        first = int(np.argmax(not_finite > 0))
        raise DataError(
            f"{column.place(start + first)}: {not_finite[first]} of {values[first].size} values are NaN, Inf "
            "or beyond float32; mend or remove the sample"
        )
    if spec.integers is not None:
        _check_integers(values, spec.integers, spec, column, start)
    return values


def _check_integers(
    values: NDArray[np.float32], bounds: tuple[int, int], spec: InputSpec, column: Column, start: int
) -> None:
    low, high = bounds
    wrong = (values != np.rint(values)) | (values < low) | (values > high)
    if wrong.any():
        index = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise DataError(
            f"{column.place(start + int(index[0]))}: holds {values[index]:g}; the model's input '{spec.name}' takes "
            f"integers from {low} to {high}"
        )
