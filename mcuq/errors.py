"""Everything that a user can cause; the command line prints its text alone and exits with 1."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

Name = TypeVar("Name", bound=str)

# A name in quotation marks, or what has no space in it.
_LONG = re.compile(r"(?<=')[^'\n]{1001,}(?=')|[^\s']{1001,}")


def _both_ends(found: re.Match[str]) -> str:
    name = found[0]
    return f"{name[:80]}...({len(name) - 120:,} more letters)...{name[-40:]}"


class McuqError(Exception):
    """A problem the user can mend.

    The text reads "where: what is wrong, with the value; what is supported or what to do". Of names that would fill the
    screen, as a file may claim any, it has both ends.
    """

    facts: Mapping[str, Any] = MappingProxyType({})
    """What `--json` prints beside the text."""

    def __init__(self, text: str = "") -> None:
        super().__init__(_LONG.sub(_both_ends, text))


class ModelError(McuqError):
    """The ONNX file cannot be read, is invalid, or uses something that is not supported."""


class DataError(McuqError):
    """Calibration or test data is missing, misshapen or not finite."""


class QuantizationError(McuqError):
    """A layer cannot be expressed in the integer arithmetic."""


class BoardError(McuqError):
    """A board is unknown, its file is wrong, or the model does not fit it."""


class BuildError(McuqError):
    """A compiler or emulator is missing or failed."""


class ArtifactError(McuqError):
    """A compiled model cannot be written to, or read from, its folder."""


class DeviceError(McuqError):
    """A port or the device behind it is missing, silent, or not what was expected."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean 'X'?" for the nearest candidate, or "" where none is near."""
    near = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def one_of(known: Sequence[Name], text: str, what: str) -> Name:
    """The one of `known` that a text names, `what` being asked for. Raises ModelError for any other text."""
    for name in known:
        if name == text:
            return name
    raise ModelError(f"{what} '{text}': is not known; use {', '.join(known)}{did_you_mean(text, known)}")
