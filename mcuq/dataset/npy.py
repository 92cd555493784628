"""Reads arrays in NumPy's .npy format from a stream, block by block, and never unpickles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import DataError


@dataclass(frozen=True)
class Header:
    """What precedes the data in a .npy file (NumPy, "NEP 1: a simple file format for NumPy arrays")."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class StoredColumn:
    """A column of samples that lies as one array in the file `path`; `where` is what errors call the array."""

    path: Path
    where: str
    header: Header

    @property
    def shape(self) -> tuple[int, ...]:
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.header.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def place(self, index: int) -> str:
        return f"{self.where}, sample {index}"


def read_header(stream: IO[bytes]) -> Header:
    """Read the header at `stream`, which is then at the data; raises ValueError where there is none."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return Header(*np.lib.format.read_array_header_1_0(stream))
    if version == (2, 0):
        return Header(*np.lib.format.read_array_header_2_0(stream))
    # Version 3.0 exists for structured arrays alone.
    raise ValueError(f"version {version[0]}.{version[1]} of the .npy format is not supported")


def check_size(header: Header, stored_bytes: int) -> None:
    """Raise ValueError for an array that claims more data than the `stored_bytes` of its file."""
    claimed_bytes = math.prod(header.shape) * header.dtype.itemsize
    if claimed_bytes > stored_bytes:
        raise ValueError(f"it claims {claimed_bytes:,} bytes of data, its file has {stored_bytes:,}")


def read_blocks(stream: IO[bytes], header: Header, samples: int) -> Iterator[NDArray[Any]]:
    """Yield the data of a C-ordered array, up to `samples` of its first axis at a time.

    Raises ValueError where the stream ends early.
    """
    sample_shape = header.shape[1:]
    sample_bytes = math.prod(sample_shape) * header.dtype.itemsize
    for start in range(0, header.shape[0], samples):
        count = min(samples, header.shape[0] - start)
        data = stream.read(count * sample_bytes)
        if len(data) < count * sample_bytes:
            raise ValueError(f"it ends within sample {start + len(data) // sample_bytes}")
        yield np.frombuffer(data, header.dtype).reshape(count, *sample_shape)


@contextmanager
def damage_reported(where: str) -> Iterator[None]:
    """Turn whatever reading a damaged file raises into a DataError of one line.

    zipfile, zlib, bz2, lzma, tokenize, ast and Pillow each have exceptions of their own for damaged bytes, so
    this catches all: wrap calls to those only, none of our own.
    """
    try:
        yield
    except Exception as error:
        lines = str(error).splitlines()
        raise DataError(
            f"{where}: cannot be read ({lines[0] if lines else type(error).__name__}); "
            "it may be truncated or corrupt, write it again"
        ) from None
