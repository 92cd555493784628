"""Instructions, cycles, flash and RAM of each reference network on each emulated board.

    python benchmarks/kernels.py [--network NAME] [--board NAME] [--update]

prints a table and how each figure differs from the last one in benchmarks/results.md; --update writes that file anew.
A commit that changes a figure there says why. Nothing is timed: all figures are counts, the same on every computer
with the same compilers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from reference_cases import case

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.compile import CompiledModel, assemble, compile_model
from mcuq.errors import McuqError
from mcuq.report.profile import profile_model

NETWORKS = ("kws", "ic", "vww", "ad", "sww", "mnist_cnn")
RESULTS = Path(__file__).with_name("results.md")
TEXT = """\
# What the reference networks take on each emulated CPU

Written by `python benchmarks/kernels.py --update`; docs/profile.md says what the figures are. One inference; MACs are
those left after pruning; flash is code and constants, in bytes; arena includes input, output and scratch.

"""


@dataclass(frozen=True)
class Figures:
    """One row; a figure that the board does not give is None."""

    macs: int
    instructions: int | None
    cycles: int | None
    flash_bytes: int
    code_bytes: int | None
    arena_bytes: int
    stack_bytes: int | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's cells in Markdown."""
        per_mac = "-" if self.instructions is None else f"{self.instructions / self.macs:.2f}"
        shown = ["-" if value is None else f"{value:,}" for value in (getattr(self, f.name) for f in fields(self))]
        return (*shown[:2], per_mac, *shown[2:])


HEADINGS = ("network", "board", "MACs", "instructions", "per MAC", "cycles", "flash", "code", "arena", "stack")
Rows = dict[tuple[str, str], tuple[str, ...]]


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description="Count what the reference networks take.")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="only this one; may be repeated")
    parser.add_argument("--board", action="append", choices=emulated_boards(), help="only this one; may be repeated")
    parser.add_argument("--update", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    boards = [load_board(name) for name in options.board or emulated_boards()]
    last = read_rows(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    measured: Rows = {}
    print(line(HEADINGS), line(("---",) * len(HEADINGS)), sep="\n")
    for network in options.network or NETWORKS:
        for board, figures in measure(network, boards):
            key = (network, board.name)
            measured[key] = figures.cells
            print(line((*key, *with_changes(figures.cells, last.get(key)))), flush=True)
    if options.update:
        order = [(network, board) for network in NETWORKS for board in board_names()]
        rows = {**last, **measured}
        lines = [line((*key, *rows[key])) for key in order if key in rows]
        table = [line(HEADINGS), line(("---", "---", *("---:",) * (len(HEADINGS) - 2))), *lines]
        RESULTS.write_text(TEXT + "\n".join(table) + "\n", encoding="utf-8")


def emulated_boards() -> list[str]:
    """Generic CPUs that an emulator has; a board with a driver runs the code of its CPU."""
    return [name for name in board_names() if (b := load_board(name)).cpu.is_emulated and b.driver is None]


def measure(network: str, boards: list[Board]) -> Iterator[tuple[Board, Figures]]:
    """Figures of the network, quantized once, on each board; what a board cannot do is said on stderr."""
    data = case(network)
    model: CompiledModel | None = None
    for board in boards:
        try:
            if model is None:
                model = compile_model(data.onnx, board, data.x_calibration, network)
            else:
                model = assemble(model.graph, board, network, model.onnx_model, model.origin, model.pruned)
            yield board, figures_of(model)
        except McuqError as error:
            print(f"{network} on {board.name}: {error}", file=sys.stderr)


def figures_of(model: CompiledModel) -> Figures:
    """The totals of the model's profile."""
    found = profile_model(model)
    return Figures(
        found.macs,
        found.instructions,
        found.cycles,
        found.flash_bytes,
        found.code_bytes,
        found.arena_bytes,
        found.stack_bytes,
    )


def with_changes(cells: tuple[str, ...], last: tuple[str, ...] | None) -> tuple[str, ...]:
    """Cells with the last figure behind those that differ from it."""
    if last is None:
        return cells
    return tuple(new if new == old else f"{new} (was {old})" for new, old in zip(cells, last, strict=True))


def read_rows(text: str) -> Rows:
    """(network, board) -> the other cells, from the table as it was written."""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("| ")]
    return {(row[0], row[1]): tuple(row[2:]) for row in rows if len(row) == len(HEADINGS) and row[0] in NETWORKS}


def line(cells: tuple[str, ...]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
