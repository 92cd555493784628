"""Files of a folder, or of one folder for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mcuq.errors import DataError


def listed_files(path: Path, is_one: Callable[[Path], bool], what: str) -> Mapping[Path, Sequence[Path]]:
    """The files of a folder that `is_one` takes, or of each of its own that has some, sorted; class 10 comes after 9.
    Raises DataError where classes have none: `what` they are called."""
    try:
        found = sorted(file for file in path.iterdir() if is_one(file))
        if found:
            return {path: found}
        folders = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        numbers = all(folder.name.isdecimal() for folder in folders)
        folders.sort(key=lambda folder: (int(folder.name) if numbers else 0, folder.name))
        each = {folder: sorted(file for file in folder.iterdir() if is_one(file)) for folder in folders}
    except OSError as error:
        raise DataError(f"{path.name}: cannot be listed ({error.strerror}); give a folder of {what} files") from None
    if any(each.values()) and not all(each.values()):
        empty = next(folder.name for folder, files in each.items() if not files)
        raise DataError(f"{path.name}/{empty}: holds no {what} file, other classes do; give each some")
    return each
