"""Laying out C text."""

from __future__ import annotations

from collections.abc import Sequence

COLUMNS = 110
KERNEL_COLUMNS = 120  # of templates, and of what is pasted into them


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


def broken(line: str, columns: int) -> list[str]:
    """A line of C as lines of at most `columns`, each broken behind a comma; what follows begins below what stands
    first in the same parentheses, or four columns further than the line."""
    lines = []
    begins = [len(line) - len(line.lstrip()) + 4]
    while len(line) > columns and ", " in line[:columns].strip():
        end = line.rindex(", ", 0, columns) + 1
        for column, mark in enumerate(line[:end]):
            if mark == "(":
                begins.append(column + 1)
            elif mark == ")":
                begins.pop()
        lines.append(line[:end])
        line = " " * begins[-1] + line[end:].lstrip()
    return [*lines, line]


def in_comment(text: str) -> str:
    """The text such that nothing in it ends a C comment, opens another or joins lines."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text.replace("*/", "* /").replace("/*", "/ *")
