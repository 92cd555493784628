"""Samples along the first axis of one .npy file, read block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.checks import dataset_of
from mcuq.dataset.npy import StoredColumn, check_size, damage_reported, read_header
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.errors import DataError


@dataclass(frozen=True)
class NpyFile(StoredColumn):
    """A column stored as the array of a .npy file."""

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        with damage_reported(self.where):
            values = np.load(self.path, mmap_mode="r", allow_pickle=False)
        for start in range(0, len(self), samples):
            yield np.array(values[start : start + samples])


def is_npy(path: Path) -> bool:
    """Whether the file begins as every .npy file does."""
    with damage_reported(path.name), path.open("rb") as stream:
        return stream.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def open_npy(path: Path, inputs: Sequence[InputSpec]) -> Dataset:
    """Return the data set in the .npy file `path`; see `open_dataset` for its contract."""
    if len(inputs) != 1:
        names = ", ".join(f"'{spec.name}'" for spec in inputs)
        raise DataError(
            f"{path.name}: a .npy file serves models with one input, this one has {len(inputs)} ({names}); "
            "give an .npz file with one array each"
        )
    with damage_reported(path.name), path.open("rb") as stream:
        header = read_header(stream)
        check_size(header, path.stat().st_size)
    return dataset_of(path.name, inputs, [NpyFile(path, path.name, header)], None)
