"""mcuq compile: the main job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from mcuq.api import compare as compare_choices
from mcuq.artifact import save
from mcuq.cli.common import (
    choices_json,
    json_option,
    model_json,
    model_lines,
    out,
    print_json,
    progress,
    warn,
)
from mcuq.cli.options import optimize_option, parse_shapes, scheme_options, shape_option
from mcuq.compile import compile_model
from mcuq.footprint import Choice
from mcuq.lower import Goal
from mcuq.quantize import DEFAULT_METHOD, METHODS, Scheme, parse_method


@click.command("compile", short_help="Quantize a model and write it as C.")
@click.argument("model", type=click.Path())
@click.option("--board", required=True, metavar="NAME", help="A board of `mcuq boards`, or a board's .toml file.")
@click.option(
    "--calibration",
    type=click.Path(),
    metavar="DATA",
    help="Inputs to find ranges on: .npz with `x`, or a folder of .npy or images. A hundred real ones do.",
)
@click.option("-o", "--output", type=click.Path(), metavar="DIR", help="Where the files go.  [default: build/ID]")
@click.option("--name", metavar="ID", help="Begins every C symbol.  [default: the model file's name]")
@click.option(
    "--calibrator",
    default=str(DEFAULT_METHOD),
    show_default=True,
    metavar="METHOD",
    help=f"How ranges are found: {', '.join(METHODS)} (percentile:99.99 sets the share kept).",
)
@click.option("--no-prune", is_flag=True, help="Keep channels that no output depends on; outputs are the same.")
@scheme_options
@optimize_option
@click.option("--compare", is_flag=True, help="Count the instructions of each --optimize too, on the emulated board.")
@shape_option
@json_option
def compile_(
    model: str,
    board: str,
    calibration: str | None,
    output: str | None,
    name: str | None,
    calibrator: str,
    no_prune: bool,
    scheme: Scheme,
    optimize: Goal,
    compare: bool,
    shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Quantize the ONNX file MODEL and write it as C: ID.c and ID.h, which need nothing else.

    ID.mcuq beside them is what simulate, run and the other verbs read.

    \b
    Example:  mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
    """
    with progress() as ticker:
        compiled = compile_model(
            model,
            board,
            calibration,
            name,
            parse_method(calibrator),
            parse_shapes(shapes),
            ticker,
            prune=not no_prune,
            optimize=optimize,
            scheme=scheme,
        )
    choices = compare_choices(compiled, count=compare)
    footprint = next(choice.footprint for choice in choices if choice.optimize == optimize)
    assert footprint is not None, "a model that does not fit is an error"
    folder = Path(output) if output else Path("build") / compiled.name
    files = save(compiled, folder)
    if calibration is None and compiled.has_scales:
        warn(
            "no --calibration: ranges were guessed from made-up inputs, so the accuracy is UNKNOWN. "
            "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images."
        )
    if as_json:
        paths = [str(path) for path in files]
        print_json({**model_json(compiled, footprint), "choices": choices_json(choices), "files": paths})
        return
    console = out()
    for line in model_lines(compiled, footprint):
        console.print(line, markup=False)
    if calibration is not None:
        console.print(f"  ranges  from {compiled.calibration_samples} samples, {calibrator}", markup=False)
    if footprint.compiler is not None:
        console.print(_choices(choices, compiled.optimize))
    console.print(f"  wrote   {', '.join(map(str, files))}", markup=False)
    console.print(f"next: mcuq run {folder}", markup=False)


def _choices(choices: Sequence[Choice], chosen: Goal) -> Table:
    """What each --optimize takes, a dash where it was not counted or does not fit the board."""
    titles = ("flash", "code", "constants", "arena", "instructions")
    table = Table("  --optimize", box=None, pad_edge=False)
    for title in titles if any(choice.instructions is not None for choice in choices) else titles[:-1]:
        table.add_column(title, justify="right")
    for row in choices_json(choices):
        mark = "*" if row["optimize"] == chosen else " "
        figures = [row[key] for key in ("flash_bytes", "code_bytes", "constant_bytes", "arena_bytes", "instructions")]
        cells = ["-" if figure is None else f"{figure:,}" for figure in figures]
        table.add_row(f"{mark} {row['optimize']}", *cells[: len(table.columns) - 1])
    return table
