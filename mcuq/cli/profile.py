"""mcuq profile: where the instructions go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from mcuq.artifact import load
from mcuq.cli.common import json_option, out, print_json, shortened
from mcuq.compile import CompiledModel
from mcuq.profile import Profile, profile_model

NAME_COLUMNS = 40


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@json_option
def profile(folder: str, as_json: bool) -> None:
    """Build the C in DIR, run one inference on the emulated board, and show where its instructions go.

    Instructions are counted exactly. Cycles are estimated from the core's documented timings, without flash wait
    states, for cores whose estimate was held against hardware; milliseconds are those cycles at the board's clock.

    \b
    Example:  mcuq profile build/model
    """
    model = load(folder)
    found = profile_model(model)
    if as_json:
        print_json({"name": model.name, "board": model.board.name, **asdict(found)})
        return
    console = out()
    console.print(f"{model.name} on emulated {model.board.name} ({found.compiler})", markup=False)
    console.print(_layers(found))
    for line in profile_lines(model, found):
        console.print(line, markup=False)


def _layers(found: Profile) -> Table:
    table = Table("layer", "operator", box=None, show_footer=True, pad_edge=False)
    table.columns[0].footer = "total"
    totals = (found.macs, found.instructions, None, found.cycles)
    for title, total in zip(("MACs", "instructions", "per MAC", "cycles"), totals, strict=True):
        table.add_column(title, _number(total) if total is not None else "", justify="right")
    table.add_column("ms", _milliseconds(found.ms), justify="right")
    table.add_column("code", f"{found.code_bytes:,}", justify="right")
    table.add_column("weights", f"{found.constant_bytes:,}", justify="right")
    for layer in found.layers:
        name = shortened(layer.name, NAME_COLUMNS)
        table.add_row(
            Text(name),
            layer.op,
            f"{layer.macs:,}",
            f"{layer.instructions:,}",
            f"{layer.instructions / layer.macs:.2f}" if layer.macs else "-",
            _number(layer.cycles),
            _milliseconds(layer.ms),
            f"{layer.code_bytes:,}",
            f"{layer.weight_bytes:,}",
        )
    shared = found.code_bytes - sum(layer.code_bytes for layer in found.layers)
    row = ("between layers", "", "", f"{found.other_instructions:,}", "", _number(found.other_cycles), "")
    table.add_row(*row, f"{shared:,}", "")
    return table


def profile_lines(model: CompiledModel, found: Profile) -> Iterator[str]:
    """What the table does not say, for people."""
    yield f"  flash   {found.flash_bytes:>9,} bytes (constants {found.constant_bytes:,} + code {found.code_bytes:,})"
    yield f"  RAM     {found.arena_bytes:>9,} bytes of arena + {found.stack_bytes:,} of stack"
    if found.cycle_source is None:
        yield f"  cycles  not estimated: no model of {model.board.cpu.core} was held against hardware"
    else:
        yield f"  cycles  {found.cycle_source}; no flash wait states"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
