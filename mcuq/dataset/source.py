"""Opens whatever a user may give as data; joins npz.py, single.py and folder.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcuq.dataset.folder import open_folder
from mcuq.dataset.npz import open_npz
from mcuq.dataset.other_formats import refuse_other_formats
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.dataset.single import is_npy, open_npy
from mcuq.errors import DataError
from mcuq.system.regular_file import what_is_no_file


def open_dataset(path: str | Path, inputs: Sequence[InputSpec]) -> Dataset:
    """Return the samples at `path` for a model with `inputs`, to be read as they are reached.

    - An .npz file: "x" (for a model with one input) or one array per input name, each (N, *input shape) where
      a batch of one may be left out; "y", if present, is N integer labels. The only array may have any name.
    - A .npy file: the same array, for a model with one input.
    - A folder of .npy files, one sample each, sorted by name.
    - A folder of .png, .jpg or .bmp images of the model's size, sorted by name, read as 0..255; a model that
      wants other numbers needs an .npz file.
    - A folder of such folders: one class each, labelled 0, 1, ... in the order of their names, or of their
      numbers where all names are numbers.

    Floats of 16 to 64 bits and integers become float32. Raises DataError, one line that starts with the name
    of the file, where data is missing, damaged or does not fit the model; values are checked when read.
    """
    absolute = Path(path).absolute()  # "." has no name
    if absolute.is_dir():
        return open_folder(absolute, inputs)
    if kind := what_is_no_file(absolute):
        raise DataError(f"{path}: is {kind}; give an .npz file, or a folder of .npy files or images")
    if absolute.exists():
        refuse_other_formats(path)
        return (open_npy if is_npy(absolute) else open_npz)(absolute, inputs)
    raise DataError(f"{path}: no such file or folder; give an .npz file, or a folder of .npy files or images")
