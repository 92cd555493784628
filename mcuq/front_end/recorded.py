"""Recordings of sensors as data: CSV and .npy files of samples of several channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.npy import damage_reported
from mcuq.errors import DataError

SUFFIXES = ".csv", ".npy"


def is_recording(path: Path) -> bool:
    """Whether the file is called .csv, or is an array of int16."""
    if path.name.startswith(".") or not path.is_file():
        return False
    return path.suffix.lower() == ".csv" or (path.suffix.lower() == ".npy" and _is_of_samples(path))


def _is_of_samples(path: Path) -> bool:
    """Elements of a network's inputs are floats, or other integers."""
    try:
        return bool(np.load(path, mmap_mode="r", allow_pickle=False).dtype == np.int16)
    except (ValueError, OSError, EOFError):
        return False


def read_recording(path: Path, where: str, channels: int) -> NDArray[np.int16]:
    """(samples, channels) of a file: a line of CSV, or a row of the array, is a sample of each channel. Raises
    DataError for all that is not whole numbers of 16 bits, so many in each."""
    if path.suffix.lower() == ".npy":
        with damage_reported(where):
            found = np.load(path, allow_pickle=False)
        if found.ndim != 2 or found.shape[1] != channels:
            raise DataError(f"{where}: has shape {found.shape}; the front end takes (samples, {channels}) of int16")
        samples: NDArray[np.int16] = found
        return samples
    rows = []
    with damage_reported(where):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.split(",")]
        is_named = number == 1 and len(cells) == channels and all(cell and not _is_number(cell) for cell in cells)
        if is_named or not line.strip():
            continue
        if len(cells) != channels:
            found = "1 number" if len(cells) == 1 else f"{len(cells)} numbers"
            raise DataError(
                f"{where}: line {number} has {found}; the front end takes {channels} channels and nothing else, with "
                "commas between them"
            )
        try:
            rows.append([_whole(cell) for cell in cells])
        except ValueError:
            raise DataError(
                f"{where}: line {number}: '{line.strip()}': the front end takes whole numbers, as the sensor gives them"
            ) from None
        if not -32768 <= min(rows[-1]) <= max(rows[-1]) <= 32767:
            raise DataError(f"{where}: line {number}: '{line.strip()}': must be from -32768 to 32767")
    return np.array(rows, np.int16).reshape(-1, channels)


def _is_number(cell: str) -> bool:
    """Of any kind, NaN too: names are none."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _whole(cell: str) -> int:
    """Raises ValueError for what is not written as a whole number."""
    if not cell.lstrip("+-").isdecimal():
        raise ValueError(cell)
    return int(cell)
