"""Tables of candidates: what ways to quantize a model give and take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcuq.cli.common import percent
from mcuq.cli.table import Column, Row, table_lines
from mcuq.quantize import sqnr_text
from mcuq.report.candidates import Candidate, Figures, best_of


def candidates_lines(
    title: str,
    measured: Mapping[Candidate, Figures],
    remarks: Mapping[Candidate, str],
    width: int,
    base: Figures | None = None,
) -> Iterator[str]:
    """A row each, those marked with * that no other one is as good as; costs are differences to `base` if there is one.

    `remarks` tells something of each, behind its row or below it.
    """
    best = best_of(measured)
    is_counted = any(figures.instructions is not None for figures in measured.values())
    is_timed = any(figures.ms is not None for figures in measured.values())
    columns = [Column("SQNR"), Column("agreement", 2), Column("accuracy", 1), Column("flash"), Column("RAM")]
    columns += [Column("instructions")] if is_counted else []
    columns += [Column("ms")] if is_timed else []
    rows = []
    for candidate, figures in measured.items():
        costs = (
            _cost(figures.flash_bytes, base.flash_bytes if base else None),
            _cost(figures.arena_bytes, base.arena_bytes if base else None),
            *([_cost(figures.instructions, base.instructions if base else None)] if is_counted else []),
            *(["-" if figures.ms is None else f"{figures.ms:.2f}"] if is_timed else []),
        )
        shares = (percent(figures.agreement), percent(figures.accuracy))
        mark = "*" if candidate in best else " "
        cells = ("-" if figures.sqnr_db is None else sqnr_text(figures.sqnr_db), *shares, *costs)
        rows.append(Row(f"{mark} {candidate.title}", cells, remarks.get(candidate, "")))
    return table_lines(title, columns, rows, width)


def candidates_json(measured: Mapping[Candidate, Figures]) -> list[dict[str, Any]]:
    """The same as `--json` prints it."""
    best = best_of(measured)
    return [
        {"title": candidate.title, "optimize": candidate.optimize, **vars(figures), "is_best": candidate in best}
        for candidate, figures in measured.items()
    ]


def _cost(value: int | None, base: int | None) -> str:
    if value is None:
        return "does not fit" if base is not None else "-"
    if base is None:
        return f"{value:,}"
    return f"{value - base:+,}" if value != base else "same"
