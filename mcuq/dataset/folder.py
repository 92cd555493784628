"""Samples that are one file each: a folder of .npy files or of images, or one such folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset import images
from mcuq.dataset.checks import check_dtype, sample_shapes, shape_text, transposed_hint
from mcuq.dataset.npy import check_size, damage_reported, read_header
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.errors import DataError

_SUFFIXES = (".npy", *images.SUFFIXES)


@dataclass(frozen=True)
class Files:
    """A column of one file per sample; `names` are relative to `root`. Paths would take five times the memory."""

    root: Path
    names: tuple[str, ...]
    read: Callable[[Path, str], NDArray[Any]]

    def __len__(self) -> int:
        return len(self.names)

    def place(self, index: int) -> str:
        return f"{self.root.name}/{self.names[index]}"

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self), samples):
            indices = range(start, min(start + samples, len(self)))
            yield np.stack([self.read(self.root / self.names[i], self.place(i)) for i in indices])


def open_folder(root: Path, inputs: Sequence[InputSpec]) -> Dataset:
    """Return the data set in the folder `root`; see `open_dataset` for its contract."""
    where = root.name
    if len(inputs) != 1:
        names = ", ".join(f"'{spec.name}'" for spec in inputs)
        raise DataError(
            f"{where}: a folder serves models with one input, this one has {len(inputs)} ({names}); "
            "give an .npz file with one array each"
        )
    (spec,) = inputs
    classes, files = _listing(root, where)
    label_names = None
    labels = None
    if classes:
        if files:
            raise DataError(f"{where}: holds both samples and subfolders; give one or the other")
        listings = [_samples_of_class(root / name, f"{where}/{name}") for name in classes]
        files = [f"{name}/{file}" for name, listing in zip(classes, listings, strict=True) for file in listing]
        label_names = tuple(classes)
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(listing) for listing in listings])
    if not files:
        raise DataError(f"{where}: has fewer than one sample; give at least one of {', '.join(_SUFFIXES)}")
    read = _reader(where, {_suffix(name) for name in files}, spec)
    return Dataset((spec,), (Files(root, tuple(files), read),), labels, label_names)


def _listing(folder: Path, where: str) -> tuple[list[str], list[str]]:
    """Return the names of subfolders and samples in `folder`, each sorted; hidden and other files are left out."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif _suffix(entry.name) in _SUFFIXES and entry.is_file():
                    files.append(entry.name)
    except OSError as error:
        raise DataError(f"{where}: cannot be listed ({error.strerror})") from None
    # So that class 10 comes after 9, not after 1.
    folders.sort(key=(lambda name: (int(name), name)) if all(name.isdecimal() for name in folders) else None)
    return folders, sorted(files)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each of many names is slow)


def _samples_of_class(folder: Path, where: str) -> list[str]:
    subfolders, files = _listing(folder, where)
    if subfolders:
        raise DataError(f"{where}: holds subfolders; a class's folder holds its samples only")
    return files


def _reader(where: str, suffixes: set[str], spec: InputSpec) -> Callable[[Path, str], NDArray[Any]]:
    if suffixes == {".npy"}:
        return lambda path, place: _read_npy(path, place, spec)
    if ".npy" in suffixes:
        raise DataError(f"{where}: holds both .npy files and images; give one or the other")
    return images.image_reader(where, spec).read


def _read_npy(path: Path, where: str, spec: InputSpec) -> NDArray[Any]:
    with damage_reported(where), path.open("rb") as stream:
        header = read_header(stream)
        check_size(header, path.stat().st_size)
    check_dtype(where, header.dtype)
    if header.shape not in sample_shapes(spec):
        raise DataError(
            f"{where}: shape {shape_text(header.shape)} does not fit the model's input '{spec.name}'; "
            f"give {shape_text(spec.shape)}" + transposed_hint(header.shape, spec, 0)
        )
    with damage_reported(where):
        values: NDArray[Any] = np.load(path, allow_pickle=False).reshape(spec.shape)
    return values
