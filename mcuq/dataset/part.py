"""One of two parts of a data set: the samples that are held back to judge by, or all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.samples import Column, Dataset
from mcuq.dataset.spread import scattered_indices
from mcuq.errors import DataError

# Enough to judge by, where a quarter is less and the others are as many.
_ENOUGH = 16


@dataclass(frozen=True, eq=False)
class _Chosen:
    """A column of those samples of another that `indices` says, in its order; they are read on the way."""

    column: Column
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        wanted = np.array(self.indices)
        start = 0
        kept: list[NDArray[Any]] = []
        for block in self.column.blocks(samples):
            inside = wanted[(wanted >= start) & (wanted < start + len(block))] - start
            kept.extend(block[inside])
            start += len(block)
            while len(kept) >= samples:
                yield np.stack(kept[:samples])
                del kept[:samples]
        if kept:
            yield np.stack(kept)

    def place(self, index: int) -> str:
        return self.column.place(self.indices[index])


def held_back_part(data: Dataset) -> Dataset:
    """A quarter of the samples, scattered over all; of few, up to a half. Raises DataError for a single sample."""
    return _part(data, held_back_indices(len(data)))


def other_part(data: Dataset) -> Dataset:
    """The samples that `held_back_part` leaves. Raises DataError for a single sample."""
    return _part(data, {*range(len(data))} - held_back_indices(len(data)))


def held_back_indices(count: int) -> set[int]:
    """Which of so many samples, or sequences, are held back. Raises DataError for a single one."""
    if count < 2:
        raise DataError("calibration data: has one sample, and none to judge by; give about a hundred, or --data DATA")
    return {*scattered_indices(count)[: max(count // 4, min(count // 2, _ENOUGH))]}


def _part(data: Dataset, chosen: set[int]) -> Dataset:
    indices = tuple(sorted(chosen))
    labels = None if data.labels is None else data.labels[list(indices)]
    return replace(data, columns=tuple(_Chosen(column, indices) for column in data.columns), labels=labels)
