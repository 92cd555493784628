"""Laying out C text."""

from __future__ import annotations

from collections.abc import Sequence

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


def in_comment(text: str) -> str:
    """The text such that nothing in it ends a C comment, opens another or joins lines."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text.replace("*/", "* /").replace("/*", "/ *")
