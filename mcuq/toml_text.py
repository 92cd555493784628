"""TOML files that users write: their text, and what of it is as it should be."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from math import isfinite
from pathlib import Path
from typing import Any, TypeGuard

from mcuq.errors import ModelError, did_you_mean

_LARGEST = 2**63  # of whole numbers, which TOML asks for no more of


def parse_toml(text: str) -> dict[str, Any]:
    """Raises ValueError, which says why, for what is no TOML, or has numbers or lists within lists without end."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def read_text(path: Path, where: str, wanted: str) -> str:
    """The text of a UTF-8 file, its byte order mark left out. Raises ModelError, with what is `wanted`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"{where}: cannot be read: {error.strerror}; give {wanted}") from None
    except UnicodeDecodeError:
        raise ModelError(f"{where}: is no text; give {wanted}") from None
    except ValueError:  # a path with a 0 in it
        raise ModelError(f"{where}: is no name of a file; give {wanted}") from None


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number that a float holds."""
    if type(value) is int:
        return abs(value) < _LARGEST
    return type(value) is float and isfinite(value)


def instead_of(key: str, known: Collection[str]) -> str:
    """What to write in place of a key that is not known: the nearest one, or all."""
    return did_you_mean(key, known) or f"; known keys: {', '.join(known) or 'none'}"
