"""Streams samples out of .npz files, compressed or not, holding one block in memory."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.checks import LABELS_KEY, dataset_of, input_keys
from mcuq.dataset.npy import StoredColumn, check_size, damage_reported, read_blocks, read_header
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.system.unpacking import check_unpacking

_SUFFIX = ".npy"


@dataclass(frozen=True)
class NpzMember(StoredColumn):
    """A column stored as one array of an .npz file."""

    key: str

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        read = self._mapped_blocks if self.header.fortran_order else self._streamed_blocks
        blocks = read(samples)
        while True:
            with damage_reported(self.where):
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def _streamed_blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.key + _SUFFIX) as stream:
            read_header(stream)
            yield from read_blocks(stream, self.header, samples)

    def _mapped_blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        """In Fortran order (what pandas makes) samples are interleaved: unpack to disk, then pick them."""
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.key + _SUFFIX) as stream:
                read_header(stream)
                shutil.copyfileobj(stream, file)
            file.flush()
            values = np.memmap(file, self.dtype, "r", shape=self.shape, order="F")
            for start in range(0, len(self), samples):
                yield np.array(values[start : start + samples])


def open_npz(path: Path, inputs: Sequence[InputSpec]) -> Dataset:
    """Return the data set in the .npz file `path`; see `open_dataset` for its contract."""
    where = path.name
    with damage_reported(f"{where}: as an .npz file"), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    present = {name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)}
    # The only array needs no name: np.savez gives one without arr_0.
    is_plain = len(present) == len(inputs) == 1 and present != {LABELS_KEY}
    keys = tuple(present) if is_plain else input_keys(where, present, inputs)
    labelled = LABELS_KEY in present and LABELS_KEY not in keys
    return dataset_of(
        where,
        inputs,
        [_member(path, key, "array") for key in keys],
        _member(path, LABELS_KEY, "labels") if labelled else None,
    )


def _member(path: Path, key: str, what: str) -> NpzMember:
    where = f"{path.name}: {what} '{key}'"
    with (
        damage_reported(where),
        zipfile.ZipFile(path) as archive,
        archive.open(key + _SUFFIX) as stream,
    ):
        header = read_header(stream)
        part = archive.getinfo(key + _SUFFIX)
        check_size(header, part.file_size)
        check_unpacking(part)
    return NpzMember(path, where, header, key)
