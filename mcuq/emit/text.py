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
