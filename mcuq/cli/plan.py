"""mcuq plan: the planner of compile, for buffers of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from mcuq.artifact import save_text
from mcuq.cli.common import json_option, out, print_json
from mcuq.cli.options import solver_option
from mcuq.errors import DataError
from mcuq.lower import Solver
from mcuq.plan.buffers import Buffer, plan_buffers, read_buffers, write_buffers
from mcuq.plan.layout import Layout
from mcuq.system.regular_file import what_is_no_file

MOST_BYTES = 2**22  # of a file: a thousand lines have far fewer


@click.command()
@click.argument("file", metavar="FILE.csv", type=click.Path())
@click.option("--capacity", type=click.IntRange(min=1), metavar="BYTES", help="What the arena is to fit into.")
@click.option(
    "--effort",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Search N times as long for a smaller arena, and for the proof that there is none.",
)
@solver_option
@click.option("-o", "--output", type=click.Path(), metavar="FILE.csv", help="Write the buffers with their offsets.")
@json_option
def plan(file: str, capacity: int | None, effort: int, solver: Solver, output: str | None, as_json: bool) -> None:
    """Lay out the buffers of a CSV file in as little memory as possible: those that live at one time do not overlap.

    The file is as MiniMalloc's: a first line id,lower,upper,size, then a line for each buffer, which lives from time
    lower until before upper. Offsets are found anew, and written with --output. The same file gives the same offsets.

    \b
    Example:  mcuq plan buffers.csv --capacity 1048576 -o planned.csv
    """
    buffers = read_buffers(_read(Path(file)), Path(file).name)
    layout = plan_buffers(buffers, effort, solver)
    if capacity is not None and layout.size_bytes > capacity:
        raise DataError(_too_large(Path(file).name, layout, capacity))
    written = None if output is None else save_text(Path(output), write_buffers(buffers, layout.offsets))
    if as_json:
        print_json(
            {
                "buffers": len(buffers),
                "arena_bytes": layout.size_bytes,
                "least_arena_bytes": layout.least_bytes,
                "is_least": layout.is_least,
                "capacity": capacity,
                "offsets": {b.name: offset for b, offset in zip(buffers, layout.offsets, strict=True)},
                "files": [] if written is None else [str(written)],
            }
        )
        return
    console = out()
    console.print(f"{Path(file).name}: {len(buffers):,} buffers, {_total(buffers):,} bytes", markup=False)
    console.print(f"  arena   {layout.size_bytes:>13,} bytes")
    if layout.is_least:
        console.print("          the least possible")
    else:
        gap = layout.size_bytes / layout.least_bytes - 1
        console.print(
            f"  bound   {layout.least_bytes:>13,} bytes; the arena is at most {100 * gap:.1f} % larger than the least"
        )
    if capacity is not None:
        console.print(f"  free    {capacity - layout.size_bytes:>13,} bytes of {capacity:,}")
    if written is not None:
        console.print(f"  wrote   {written}", markup=False)


def _total(buffers: list[Buffer]) -> int:
    return sum(b.size_bytes for b in buffers)


def _too_large(name: str, layout: Layout, capacity: int) -> str:
    if layout.least_bytes > capacity:
        return (
            f"{name}: needs {layout.least_bytes:,} bytes at least, --capacity is {capacity:,}; allow more, or let "
            "fewer buffers live at one time"
        )
    return (
        f"{name}: no layout of {capacity:,} bytes was found: the smallest takes {layout.size_bytes:,}, and none takes "
        f"less than {layout.least_bytes:,}; try a larger --effort or --capacity"
    )


def _read(path: Path) -> str:
    if kind := what_is_no_file(path):
        raise DataError(f"{path}: is {kind}; give a CSV file of id,lower,upper,size")
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; give a CSV file of id,lower,upper,size") from None
    if data is None:
        raise DataError(f"{path}: has more than {MOST_BYTES:,} bytes; supported are a thousand buffers")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8; give a CSV file of id,lower,upper,size") from None
