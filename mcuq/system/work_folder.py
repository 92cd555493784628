"""A temporary folder for other programs' files; a disk without room is an error that the user can mend."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcuq.errors import BuildError

_PREFIX = "mcuq-"
# What the disk and not the program is to blame for.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def make_work_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder, removed at its `cleanup`. Raises BuildError where there is no room for it."""
    try:
        return tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise _no_room(error) from None


@contextmanager
def work_folder() -> Iterator[Path]:
    """A new folder, removed at the end. Raises BuildError where it, or what is written into it, finds no room."""
    with make_work_folder() as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno in _DISK:
                raise _no_room(error) from None
            raise


def _no_room(error: OSError) -> BuildError:
    try:
        place = tempfile.gettempdir()
    except OSError:
        place = "no folder"
    return BuildError(
        f"temporary files: {place} cannot be written: {error.strerror}; free space there, or set TMPDIR to a folder "
        "with room"
    )
