"""Laying out C text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

COLUMNS = 110


def wrap(items: Sequence[str], separator: str, columns: int, indent: str) -> str:
    """Items on as few lines as fit."""
    lines: list[str] = []
    line = ""
    for item in items:
        piece = item + separator
        if line and len(line) + len(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines.append(line.rstrip().rstrip(separator.strip()))
    return "\n".join(indent + text for text in lines)


C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "float32": "float",
}


def c_float(value: float) -> str:
    """A C expression that names the same float32: a literal, but for infinities, which freestanding C has none for."""
    if np.isinf(value):
        return "mcuq_infinity()" if value > 0 else "-mcuq_infinity()"
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def c_float_needs(values: Iterable[object]) -> tuple[str, ...]:
    """The runtime items that c_float names of those of the values that are floats."""
    return ("mcuq_infinity",) if any(isinstance(v, (float, np.floating)) and np.isinf(v) for v in values) else ()


def in_comment(text: str) -> str:
    """The text such that nothing in it ends a C comment, opens another or joins lines."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text.replace("*/", "* /").replace("/*", "/ *")
