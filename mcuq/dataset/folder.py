"""Samples that are one file each: a folder of .npy files or of images, or one such folder per class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset import images
from mcuq.dataset.checks import check_dtype, sample_shapes, shape_text
from mcuq.dataset.npy import damage_reported, read_header
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.errors import DataError

_SUFFIXES = (".npy", *images.SUFFIXES)


@dataclass(frozen=True)
class Files:
    """A column of one file per sample."""

    root: Path
    paths: tuple[Path, ...]
    read: Callable[[Path, str], NDArray[Any]]

    def __len__(self) -> int:
        return len(self.paths)

    def place(self, index: int) -> str:
        return (self.root.name / self.paths[index].relative_to(self.root)).as_posix()

    def blocks(self, samples: int) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self), samples):
            indices = range(start, min(start + samples, len(self)))
            yield np.stack([self.read(self.paths[i], self.place(i)) for i in indices])


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
    classes, paths = _listing(root, where)
    label_names = None
    labels = None
    if classes:
        if paths:
            raise DataError(f"{where}: holds both samples and subfolders; give one or the other")
        listings = [_samples_of_class(folder, f"{where}/{folder.name}") for folder in classes]
        paths = [path for listing in listings for path in listing]
        label_names = tuple(folder.name for folder in classes)
        labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(listing) for listing in listings])
    if not paths:
        raise DataError(f"{where}: has fewer than one sample; give at least one of {', '.join(_SUFFIXES)}")
    read = _reader(where, {path.suffix.lower() for path in paths}, spec)
    return Dataset((spec,), (Files(root, tuple(paths), read),), labels, label_names)


def _listing(folder: Path, where: str) -> tuple[list[Path], list[Path]]:
    """Return the subfolders and the samples of `folder`, each sorted; hidden and other files are left out."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{where}: cannot be listed ({error.strerror})") from None
    folders = [entry for entry in entries if entry.is_dir()]
    if all(entry.name.isdecimal() for entry in folders):
        folders.sort(key=lambda entry: int(entry.name))  # so that class 10 comes after 9, not after 1
    return folders, [entry for entry in entries if entry.suffix.lower() in _SUFFIXES and entry.is_file()]


def _samples_of_class(folder: Path, where: str) -> list[Path]:
    subfolders, paths = _listing(folder, where)
    if subfolders:
        raise DataError(f"{where}: holds subfolders; a class's folder holds its samples only")
    return paths


def _reader(where: str, suffixes: set[str], spec: InputSpec) -> Callable[[Path, str], NDArray[Any]]:
    if suffixes == {".npy"}:
        return lambda path, place: _read_npy(path, place, spec)
    if ".npy" in suffixes:
        raise DataError(f"{where}: holds both .npy files and images; give one or the other")
    return images.image_reader(where, spec).read


def _read_npy(path: Path, where: str, spec: InputSpec) -> NDArray[Any]:
    with damage_reported(where), path.open("rb") as stream:
        header = read_header(stream)
    check_dtype(where, header.dtype)
    if header.shape not in sample_shapes(spec):
        raise DataError(
            f"{where}: shape {shape_text(header.shape)} does not fit the model's input '{spec.name}'; "
            f"give {shape_text(spec.shape)}"
        )
    with damage_reported(where):
        values: NDArray[Any] = np.load(path, allow_pickle=False).reshape(spec.shape)
    return values
