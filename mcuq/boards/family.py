"""Families of chips with a driver in firmware/boards/FAMILY/: what each wants to know from a board file.

A driver is configured by macros, MCUQ_UART_... and MCUQ_CLOCK_...; the C itself says which, so that there is no
second list to keep: a macro that the driver names is a key of the board file's [uart] or [clock], and it must be there
unless the driver asks first whether it is defined.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from mcuq.resources import resource_dir

COMMON_UART_KEYS = ("address", "clock_hz", "baud", "interrupt", "tx", "rx")
"""Keys of [uart] whose meaning is the same for every family."""

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MACRO = re.compile(r"\bMCUQ_(UART|CLOCK|FLASH)_(\w+)\b")
_QUESTION = re.compile(r"^\s*#\s*(?:ifdef|ifndef|if|elif)\b.*$", re.MULTILINE)
_DEFINED = re.compile(r"(?:defined\s*\(?\s*|#\s*ifn?def\s+)MCUQ_(UART|CLOCK|FLASH)_(\w+)")
_PIN_SUFFIX = re.compile(r"^(tx|rx)_(port|pin)$")
_NOT_OF_THE_FILE = {("clock", "hz")}  # MCUQ_CLOCK_HZ is the board's clock_hz


def family_names() -> tuple[str, ...]:
    """The families that have a driver, sorted; `host` is for tests on this computer and belongs to no board."""
    folders = (path.parent.name for path in (resource_dir("firmware") / "boards").glob("*/board.c"))
    return tuple(sorted(name for name in folders if name != "host"))


@functools.cache
def family_keys(family: str, table: str) -> Mapping[str, bool]:
    """Keys of [uart], [clock] or [flash] that a family's driver reads -> whether each must be there."""
    needed: dict[str, bool] = {}
    for path in sorted((resource_dir("firmware") / "boards" / family).glob("*.[ch]")):
        text = _COMMENT.sub("", path.read_text(encoding="utf-8"))
        asked = {_key(*found) for line in _QUESTION.findall(text) for found in _DEFINED.findall(line)}
        for found in _MACRO.findall(text):
            where, key = _key(*found)
            if where == table and (where, key) not in _NOT_OF_THE_FILE:
                needed[key] = (where, key) not in asked
    return needed


def _key(table: str, macro: str) -> tuple[str, str]:
    name = macro.lower()
    pin = _PIN_SUFFIX.match(name)
    return table.lower(), pin[1] if pin else name
