"""What steps take on a Cortex-M4: how many, their least, middle and longest, counted one by one beside the estimates.

    python benchmarks/steps.py [--network NAME] [--update]

prints a table; --update writes it into docs/steps.md, whose figures of other networks stay. Nothing is timed: all
figures are counts of instructions on the emulated CPU, and cycles by its model (docs/profile.md), without wait states.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kernels import line
from reference_cases import case

from mcuq.boards.find import load_board
from mcuq.compile import compile_for, quantize_model
from mcuq.lower import Stepped
from mcuq.options import Options
from mcuq.report.profile import profile_model
from mcuq.report.steps import CountedSteps, Spread, count_steps

NETWORKS = ("kws", "sww", "ic")
BOARD = "cortex-m4"
LONGEST = (None, 100_000, 50_000, 20_000)  # as --step-cycles says; None: layers as they are
BUDGETS = (0, 10_000, 50_000, 200_000)
PAGE = Path(__file__).parents[1] / "docs" / "steps.md"
MARK = "<!-- python benchmarks/steps.py --update writes what follows -->\n"
HEADINGS = ("network", "option", "budget", "steps", "stated", "cycles of a step", "instructions of a step", "of all")
Row = tuple[str, ...]


def main() -> None:
    """Count, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description="Count what steps of an inference take.")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="only this one; may be repeated")
    parser.add_argument("--update", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    text, _, table = PAGE.read_text(encoding="utf-8").partition(MARK)
    rows = read_rows(table)
    print(line(HEADINGS))
    for network in options.network or NETWORKS:
        rows[network] = rows_of(network)
        for row in rows[network]:
            print(line(row), flush=True)
    if options.update:
        lines = [line(HEADINGS), line(("---",) * 3 + ("---:",) * 5)]
        lines += [line(row) for network in NETWORKS for row in rows.get(network, [])]
        PAGE.write_text(f"{text}{MARK}\n" + "\n".join(lines) + "\n", encoding="utf-8")


def read_rows(table: str) -> dict[str, list[Row]]:
    """The rows of each network that a page has."""
    rows: dict[str, list[Row]] = {}
    for text in table.splitlines():
        cells = tuple(cell.strip() for cell in text.strip("|").split("|"))
        if cells[0] in NETWORKS:
            rows.setdefault(cells[0], []).append(cells)
    return rows


def rows_of(network: str) -> list[Row]:
    """An inference whole, without the option and with it, and by each budget."""
    data, board = case(network), load_board(BOARD)
    quantized = quantize_model(data.onnx, data.x_calibration)
    plain = compile_for(quantized, board, network, Options())
    taken = profile_model(plain)
    whole = (f"{taken.cycles:,}", f"{taken.instructions:,}", f"{taken.instructions:,}")
    rows: list[Row] = [(network, f"none ({plain.arena_bytes:,} bytes of arena)", "-", "1", "-", *whole)]
    for longest in LONGEST:
        model = compile_for(quantized, board, network, Options(step=Stepped(longest)))
        option = "`--step`" if longest is None else f"`--step-cycles {longest}`"
        said = model.listing.steps
        assert said is not None
        counted = count_steps(model, [*BUDGETS, said.total])
        for own in counted:
            head = f"{option} ({model.arena_bytes:,} bytes)" if own is counted[0] else ""
            rows.append((network, head, *cells(own, said.total, max(own.budget, said.longest))))
    return rows


def cells(own: CountedSteps, total: int, most: int) -> Row:
    """Of the steps by one budget; `most` cycles are what the header says of the longest."""
    assert own.cycles is not None
    budget = "all" if own.budget == total else f"{own.budget:,}"
    return (
        budget,
        f"{own.count:,}",
        f"{min(most, total):,}",
        spread(own.cycles),
        spread(own.instructions),
        f"{own.total_instructions:,}",
    )


def spread(own: Spread) -> str:
    """Least, middle and largest; one where they are one."""
    values = dict.fromkeys((own.least, own.middle, own.most))
    return " / ".join(f"{value:,}" for value in values)


if __name__ == "__main__":
    main()
