"""mcuq profile: where the instructions go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from mcuq.artifact import load
from mcuq.cli.common import json_option, out, print_json, print_lines
from mcuq.cli.table import Column, Row, table_lines
from mcuq.compile import CompiledModel
from mcuq.report.profile import Profile, profile_model
from mcuq.report.steps import CountedSteps, can_count_steps, count_steps


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
    steps = count_steps(model, [0])[0] if can_count_steps(model) else None
    if as_json:
        counted = None if steps is None else asdict(steps)
        print_json({"name": model.name, "board": model.board.name, **asdict(found), "steps": counted})
        return
    console = out()
    console.print(f"{model.name} on emulated {model.board.name} ({found.compiler})", markup=False)
    print_lines(_layers(found, console.width))
    print_lines(profile_lines(model, found))
    if steps is not None:
        print_lines(_step_lines(model, steps))


def _step_lines(model: CompiledModel, steps: CountedSteps) -> Iterator[str]:
    """Single units of work, counted and as they are stated."""
    said = model.listing.steps
    assert said is not None
    longest = f"{steps.instructions.most:,} instructions"
    if steps.cycles is not None:
        longest += f", {steps.cycles.most:,} cycles"
    yield f"  steps   {steps.count:>9,} of {longest} at most; stated are {said.longest:,} {said.unit}"


def _layers(found: Profile, width: int) -> Iterator[str]:
    columns = [
        Column("operator", is_number=False),
        Column("MACs"),
        Column("instructions"),
        Column("per MAC", 3),
        Column("cycles", 1),
        Column("ms"),
        Column("code", 4),
        Column("weights", 2),
    ]
    rows = [
        Row(
            layer.name,
            [
                layer.op,
                f"{layer.macs:,}",
                f"{layer.instructions:,}",
                f"{layer.instructions / layer.macs:.2f}" if layer.macs else "-",
                _number(layer.cycles),
                _milliseconds(layer.ms),
                f"{layer.code_bytes:,}",
                f"{layer.weight_bytes:,}",
            ],
        )
        for layer in found.layers
    ]
    shared = found.code_bytes - sum(layer.code_bytes for layer in found.layers)
    between = ("", "", f"{found.other_instructions:,}", "", _number(found.other_cycles), "", f"{shared:,}", "")
    rows.append(Row("between layers", between))
    totals = (f"{found.macs:,}", f"{found.instructions:,}", "", _number(found.cycles), _milliseconds(found.ms))
    rows.append(Row("total", ("", *totals, f"{found.code_bytes:,}", f"{found.constant_bytes:,}")))
    return table_lines("layer", columns, rows, width)


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
