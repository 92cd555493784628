"""Buffers as MiniMalloc's files have them: lines of id, lower, upper, size and perhaps offset."""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuq.errors import DataError, did_you_mean
from mcuq.graph.liveness import ALIGNMENT
from mcuq.lower import Solver
from mcuq.plan.layout import Block, Layout, lay_out

MOST_BUFFERS = 1000
_DIGITS = 15  # of a number: what doubles of other programs hold
# The columns by the names that such files have for them.
_NAMES = {
    "id": "id",
    "buffer": "id",
    "buffer_id": "id",
    "lower": "lower",
    "begin": "lower",
    "start": "lower",
    "upper": "upper",
    "size": "size",
    "offset": "offset",
    "alignment": "alignment",
    "gaps": "gaps",
}


@dataclass(frozen=True)
class Buffer:
    """Bytes that are needed at times from `lower` on, until `upper`, which is not included."""

    name: str
    lower: int
    upper: int
    size_bytes: int


def plan_buffers(buffers: Sequence[Buffer], effort: int = 1, solver: Solver = "search") -> Layout:
    """Offsets of the buffers, which need no alignment; `effort` is how many times as long may be searched, and `solver`
    what does it. Raises ModelError where that is not installed."""
    times = sorted({time for b in buffers for time in (b.lower, b.upper)})
    blocks = [
        Block(ALIGNMENT * b.size_bytes, bisect_left(times, b.lower), bisect_left(times, b.upper) - 1) for b in buffers
    ]
    found = lay_out(blocks, effort=effort, solver=solver)
    offsets = tuple(offset // ALIGNMENT for offset in found.offsets)
    return Layout(offsets, found.size_bytes // ALIGNMENT, -(-found.least_bytes // ALIGNMENT))


def read_buffers(text: str, where: str) -> list[Buffer]:
    """The buffers of a file. Raises DataError for the first line that is wrong, with its number.

    Offsets are not read.
    """
    lines = list(_rows(text, where))
    if not lines:
        raise DataError(f"{where}: is empty; the first line is to be id,lower,upper,size")
    columns = _columns(lines[0][1], where)
    buffers: list[Buffer] = []
    lines_of: dict[str, int] = {}
    for number, cells in lines[1:]:
        here = f"{where} line {number}"
        if len(cells) != len(columns):
            raise DataError(f"{here}: has {len(cells)} fields; the first line has {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        name = row["id"]
        if not name:
            raise DataError(f"{here}: has no id")
        if name in lines_of:
            raise DataError(f"{here}: id '{name}' is that of line {lines_of[name]} too; each buffer needs its own")
        lines_of[name] = number
        lower, upper, size_bytes = (_integer(row, column, here) for column in ("lower", "upper", "size"))
        if size_bytes < 1:
            raise DataError(f"{here}: buffer '{name}' has a size of {size_bytes:,}; supported is 1 or more")
        if upper <= lower:
            raise DataError(
                f"{here}: buffer '{name}' lives from {lower:,} until before {upper:,}, which is never; upper is to be "
                "the larger one"
            )
        if row.get("alignment", "1") != "1":
            raise DataError(
                f"{here}: buffer '{name}' has an alignment of {row['alignment']}; supported is 1: round sizes up, and "
                "leave the column out"
            )
        if row.get("gaps"):
            raise DataError(f"{here}: buffer '{name}' has gaps, which are not supported; leave the column out")
        buffers.append(Buffer(name, lower, upper, size_bytes))
        if len(buffers) > MOST_BUFFERS:
            raise DataError(f"{here}: is of buffer {len(buffers):,}; supported are {MOST_BUFFERS:,}")
    if not buffers:
        raise DataError(f"{where}: has no buffer below its first line")
    return buffers


def write_buffers(buffers: Sequence[Buffer], offsets: Sequence[int]) -> str:
    """The file of buffers with offsets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "lower", "upper", "size", "offset"])
    writer.writerows([b.name, b.lower, b.upper, b.size_bytes, at] for b, at in zip(buffers, offsets, strict=True))
    return text.getvalue()


def _rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{where} line {reader.line_num}: is no CSV: {error}") from None


def _columns(names: list[str], where: str) -> list[str]:
    """What each column is."""
    columns = []
    for name in names:
        if name.lower() == "end":
            raise DataError(
                f"{where} line 1: column '{name}' holds the last time in some files and the first one after it in "
                "others; name it upper where it is the latter, add 1 where it is the former"
            )
        if name.lower() not in _NAMES:
            known = "id, lower, upper, size and offset"
            raise DataError(
                f"{where} line 1: unknown column '{name}'{did_you_mean(name, _NAMES)}; supported are {known}"
            )
        columns.append(_NAMES[name.lower()])
        if columns.count(columns[-1]) > 1:
            raise DataError(f"{where} line 1: column '{name}' is there twice, perhaps by another name")
    missing = [name for name in ("id", "lower", "upper", "size") if name not in columns]
    if missing:
        raise DataError(f"{where} line 1: column '{missing[0]}' is missing; it is to be id,lower,upper,size")
    return columns


def _integer(row: dict[str, str], column: str, here: str) -> int:
    text = row[column]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise DataError(f"{here}: {column} '{text}' is no integer")
    if len(digits) > _DIGITS:
        raise DataError(f"{here}: {column} has {len(digits)} digits; supported are {_DIGITS}")
    return int(text)
