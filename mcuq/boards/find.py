"""Boards: boards/NAME.toml, or a user's own file, by name or path."""

from __future__ import annotations

from pathlib import Path

from mcuq.boards.facts import FEATURES, VERIFIED, Board, Cpu, Memory
from mcuq.boards.read import parse_board
from mcuq.errors import BoardError, did_you_mean
from mcuq.resources import resource_dir
from mcuq.system.regular_file import what_is_no_file

__all__ = [
    "FEATURES",
    "VERIFIED",
    "Board",
    "Cpu",
    "Memory",
    "board_names",
    "is_path",
    "load_board",
    "parse_board",
    "search_boards",
]


def board_names() -> tuple[str, ...]:
    """Return the names of the boards that come with mcuq, sorted."""
    return tuple(sorted(path.stem for path in resource_dir("boards").glob("*.toml")))


def is_path(name_or_path: str) -> bool:
    """Whether `load_board` takes it for a file's path: it ends in .toml or has a slash."""
    return name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path


def search_boards(text: str) -> tuple[str, ...]:
    """Return the names of the boards whose file has the text, whatever its case: a chip, a vendor, a CPU, a driver."""
    return tuple(name for name in board_names() if text.lower() in load_board(name).source.lower())


def load_board(name_or_path: str) -> Board:
    """Return the board of that name, or of that file where the text ends in .toml or has a slash.

    Raises BoardError for an unknown board and for anything wrong in its file.
    """
    if is_path(name_or_path):
        return _read(Path(name_or_path))
    names = board_names()
    if name_or_path not in names:
        hint = did_you_mean(name_or_path, names)
        raise BoardError(f"board '{name_or_path}' is not known{hint} (mcuq boards lists them)")
    return _read(resource_dir("boards") / f"{name_or_path}.toml")


def _read(path: Path) -> Board:
    if kind := what_is_no_file(path):
        raise BoardError(f"{path}: is {kind}; give the path of a board file")
    try:
        return parse_board(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}; give the path of a board file") from error
    except UnicodeDecodeError as error:
        raise BoardError(f"{path.name}: is not valid TOML: {error}") from error
