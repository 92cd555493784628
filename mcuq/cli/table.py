"""Tables that fit the terminal: where it is narrow whole columns are left out; no number and no name is ever cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

_GAP = "  "
# A name column narrower than this has most names on lines of their own: rather leave out figures.
_NAME_COLUMNS = 16


@dataclass(frozen=True)
class Column:
    """`rank` 0 is always shown; where the table is too wide the highest rank goes first, of equal ones the last."""

    title: str
    rank: int = 0
    is_number: bool = True


@dataclass(frozen=True)
class Row:
    """A name, which gets a line of its own where it is too long, a cell for each other column, and a remark, behind the
    row or below it."""

    name: str
    cells: Sequence[str]
    remark: str = ""


def table_lines(name: str, columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[str]:
    """The table under a line of titles, `name` that of the first column, in at most `width` columns where it can be.

    What was left out is said in a last line.
    """
    rows = [Row(name, [column.title for column in columns]), *rows]
    widths = [max(cell_len(row.cells[i]) for row in rows) for i in range(len(columns))]
    natural = max(cell_len(row.name) for row in rows)
    shown = list(range(len(columns)))

    def room() -> int:
        return width - sum(len(_GAP) + widths[i] for i in shown)

    while room() < min(natural, _NAME_COLUMNS) and any(columns[i].rank for i in shown):
        shown.remove(max(shown, key=lambda i: (columns[i].rank, i)))
    first = min(natural, max(room(), _NAME_COLUMNS))
    for row in rows:
        cells = [_aligned(row.cells[i], widths[i], columns[i].is_number) for i in shown]
        if cell_len(row.name) > first:
            yield row.name
        lead = _aligned("" if cell_len(row.name) > first else row.name, first, is_number=False)
        line = _GAP.join([lead, *cells]).rstrip()
        if row.remark and cell_len(line) + len(_GAP) + cell_len(row.remark) <= width:
            yield f"{line}{_GAP}{row.remark}"
        else:
            yield line
            if row.remark:
                yield f"    {row.remark}"
    if len(shown) < len(columns):
        missing = ", ".join(column.title for i, column in enumerate(columns) if i not in shown)
        yield f"  not shown: {missing} (in a wider terminal, or with --json)"


def _aligned(text: str, width: int, is_number: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if is_number else text + space
