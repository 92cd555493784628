"""What `--optimize balanced`, `speed` and `size` take: flash, arena and instructions of the reference networks.

    python benchmarks/optimize.py [--network NAME] [--board NAME] [--update]

prints a table; --update writes it into docs/optimize.md, whose figures of other networks and boards stay. Ends with 1
where `size` takes more flash than `balanced`, or `speed` more instructions. Nothing is timed: all figures are counts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kernels import line
from reference_cases import case

from mcuq.api import compare
from mcuq.boards.find import load_board
from mcuq.build.footprint import Choice
from mcuq.compile import CompiledModel, assemble, compile_model
from mcuq.lower import GOALS

NETWORKS = ("kws", "ic", "vww", "ad", "sww")
BOARDS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc")
PAGE = Path(__file__).parents[1] / "docs" / "optimize.md"
MARK = "<!-- python benchmarks/optimize.py --update writes what follows -->\n"
HEADINGS = ("network", "board", *(f"{figure}, {goal}" for figure in ("flash", "instructions") for goal in GOALS))
Rows = dict[tuple[str, str], tuple[str, ...]]


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description="Count what each choice of --optimize takes.")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="only this one; may be repeated")
    parser.add_argument("--board", action="append", choices=BOARDS, help="only this one; may be repeated")
    parser.add_argument("--update", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    text, _, table = PAGE.read_text(encoding="utf-8").partition(MARK)
    rows = read_rows(table)
    wrong = []
    print(line(HEADINGS))
    for network in options.network or NETWORKS:
        model: CompiledModel | None = None
        for name in options.board or BOARDS:
            model = compiled(network, name, model)
            choices = compare(model)
            wrong += [f"{network} on {name}: {what}" for what in broken_promises(choices)]
            rows[network, name] = cells(choices)
            print(line((network, name, *rows[network, name])), flush=True)
    if options.update:
        ruler = line(("---", "---", *("---:",) * (len(HEADINGS) - 2)))
        order = [(network, board) for network in NETWORKS for board in BOARDS if (network, board) in rows]
        lines = [line(HEADINGS), ruler, *(line((*key, *rows[key])) for key in order)]
        PAGE.write_text(text + MARK + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    if wrong:
        sys.exit("\n".join(wrong))


def compiled(network: str, board: str, before: CompiledModel | None) -> CompiledModel:
    """The network for the board; quantized once, for the first."""
    if before is None:
        data = case(network)
        return compile_model(data.onnx, board, data.x_calibration, network)
    return assemble(before.graph, load_board(board), network, before.onnx_model, before.origin, before.pruned)


def cells(choices: tuple[Choice, ...]) -> tuple[str, ...]:
    """Flash, then instructions, in the order of GOALS."""
    flash = [f"{choice.footprint.flash_bytes:,}" if choice.footprint else "-" for choice in choices]
    return (*flash, *("-" if choice.instructions is None else f"{choice.instructions:,}" for choice in choices))


def broken_promises(choices: tuple[Choice, ...]) -> list[str]:
    """Where `size` is not the smallest or `speed` not the fastest."""
    by_goal = {choice.optimize: choice for choice in choices}
    balanced, speed, size = (by_goal[goal] for goal in ("balanced", "speed", "size"))
    found = []
    if balanced.footprint and size.footprint and size.footprint.flash_bytes > balanced.footprint.flash_bytes:
        found.append(f"size takes {size.footprint.flash_bytes:,} bytes, balanced {balanced.footprint.flash_bytes:,}")
    if (speed.instructions or 0) > (balanced.instructions or 0):
        found.append(f"speed takes {speed.instructions:,} instructions, balanced {balanced.instructions:,}")
    return found


def read_rows(table: str) -> Rows:
    """(network, board) -> the other cells, from the table as it was written."""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines() if row.startswith("| ")]
    return {(row[0], row[1]): tuple(row[2:]) for row in rows if len(row) == len(HEADINGS) and row[0] in NETWORKS}


if __name__ == "__main__":
    main()
