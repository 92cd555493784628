"""Tables of candidates: what ways to quantize a model give and take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from mcuq.candidates import Candidate, Figures, best_of
from mcuq.cli.common import decibels, percent


def candidates_table(
    title: str,
    measured: Mapping[Candidate, Figures],
    how_title: str,
    how: Mapping[Candidate, str],
    base: Figures | None = None,
) -> Table:
    """A row each, those marked with * that no other one is as good as; costs are differences to `base` if there is one.

    `how` tells something of each in a last column, under `how_title`.
    """
    best = best_of(measured)
    table = Table(title, box=None, pad_edge=False)
    is_counted = any(figures.instructions is not None for figures in measured.values())
    for column in ("SQNR", "agreement", "accuracy", "flash", "RAM", *(["instructions"] if is_counted else [])):
        table.add_column(column, justify="right")
    table.add_column(how_title)
    for candidate, figures in measured.items():
        costs = (
            _cost(figures.flash_bytes, base.flash_bytes if base else None),
            _cost(figures.arena_bytes, base.arena_bytes if base else None),
            *([_cost(figures.instructions, base.instructions if base else None)] if is_counted else []),
        )
        shares = (percent(figures.agreement), percent(figures.accuracy))
        mark = "*" if candidate in best else " "
        table.add_row(
            f"{mark} {candidate.title}", f"{decibels(figures.sqnr_db)} dB", *shares, *costs, how.get(candidate, "")
        )
    return table


def candidates_json(measured: Mapping[Candidate, Figures]) -> list[dict[str, Any]]:
    """The same as `--json` prints it."""
    best = best_of(measured)
    return [
        {"title": candidate.title, **vars(figures), "is_best": candidate in best}
        for candidate, figures in measured.items()
    ]


def _cost(value: int | None, base: int | None) -> str:
    if value is None:
        return "does not fit" if base is not None else "-"
    if base is None:
        return f"{value:,}"
    return f"{value - base:+,}" if value != base else "same"
