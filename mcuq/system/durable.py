"""Files that appear whole or not at all, and several of them together, whenever the process or the machine stops.

Several files are replaced through a journal: one file that holds all of them. It appears at once; from then on the new
files count, and whoever looks next (`settled`) completes what was cut off. Before that, the old files are untouched.
What is being written has no name until it is whole where the system can do that (Linux's O_TMPFILE), else it is
NAME.part, which the next replacement removes.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_JOURNAL = ".new"
_PART = ".part"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Members of a journal: files to write, and files to remove.
_WRITE, _REMOVE = "write/", "remove/"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is on the disk, whole, when this returns; one of that name is replaced at once.

    Raises OSError where it cannot be written; what was there before is then as it was.
    """
    part = path.with_name(path.name + _PART)
    try:
        _write_part(part, data)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _sync_folder(path.parent)


def replace_together(journal: Path, contents: Mapping[str, bytes]) -> None:
    """Replace files of the folder, name -> content, so that all of them or none are new.

    `journal` is the path of one of them, by whose suffix `settled` finds a replacement that was cut off. Raises OSError
    where one cannot be written; all are then as they were.
    """
    with settled(journal.parent, journal.suffix):
        before = {name: _content(journal.parent / name) for name in contents}
        try:
            _commit(journal, contents)
        except BaseException:
            if _journal_of(journal).exists():
                _commit(journal, before)
            raise


@contextmanager
def settled(folder: Path, suffix: str) -> Iterator[None]:
    """While nobody else replaces files in the folder, and after completing what was cut off for files with the suffix.

    Raises OSError where that cannot be completed, and zipfile.BadZipFile for a journal that is none.
    """
    with _locked(folder):
        for part in folder.glob(f"*{suffix}{_JOURNAL}{_PART}"):
            part.unlink()
        for path in sorted(folder.glob(f"*{suffix}{_JOURNAL}")):
            _apply(path, _read_journal(path.read_bytes()))
        yield


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + _JOURNAL)


def _commit(journal: Path, contents: Mapping[str, bytes | None]) -> None:
    """From the moment that the journal is there, its contents count. None: no such file."""
    path = _journal_of(journal)
    write_whole(path, _journal(contents))
    _apply(path, contents)


def _apply(path: Path, contents: Mapping[str, bytes | None]) -> None:
    for name, data in contents.items():
        if data is None:
            (path.parent / name).unlink(missing_ok=True)
        else:
            write_whole(path.parent / name, data)
    path.unlink()
    _sync_folder(path.parent)


def _journal(contents: Mapping[str, bytes | None]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in contents.items():
            kind = _REMOVE if content is None else _WRITE
            archive.writestr(zipfile.ZipInfo(kind + name, _EPOCH), content or b"")
    return data.getvalue()


def _read_journal(data: bytes) -> dict[str, bytes | None]:
    contents: dict[str, bytes | None] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.namelist():
            kind, _, name = member.partition("/")
            if kind + "/" not in (_WRITE, _REMOVE) or name != Path(name).name or not name:
                raise zipfile.BadZipFile(f"'{member}' is no member of a journal")
            contents[name] = archive.read(member) if kind + "/" == _WRITE else None
    return contents


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write_part(part: Path, data: bytes) -> None:
    with suppress(FileNotFoundError):
        part.unlink()
    unnamed = _open_unnamed(part.parent)
    if unnamed is None:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return
    with os.fdopen(unnamed, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        # open(2), O_TMPFILE: this is how such a file gets its name. Python asks the system to follow the link of /proc
        # where a folder is given, which an absolute path ignores.
        os.link(f"/proc/self/fd/{file.fileno()}", part, src_dir_fd=file.fileno(), follow_symlinks=True)


def _open_unnamed(folder: Path) -> int | None:
    """A file without a name in the folder; None where the system or the file system has none."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, flag | os.O_WRONLY, 0o666)
    except OSError:
        return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among the processes that ask for the folder; the system lets go of it when a process ends. Where folders
    cannot be locked, as on Windows, nobody waits."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):  # file systems without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """New names are on the disk too; where a folder cannot be opened, as on Windows, there is nothing to do."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
