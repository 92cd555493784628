"""mcuq compile: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from mcuq.artifact import save
from mcuq.cli.common import json_option, model_json, model_lines, out, print_json, progress, warn
from mcuq.cli.options import parse_shapes, shape_option
from mcuq.compile import compile_model
from mcuq.footprint import measure_footprint
from mcuq.quantize import DEFAULT_METHOD, METHODS, parse_method


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
    shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Quantize the ONNX file MODEL to int8 and write it as C: ID.c and ID.h, which need nothing else.

    ID.mcuq beside them is what simulate, run and the other verbs read.

    \b
    Example:  mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
    """
    with progress() as ticker:
        compiled = compile_model(
            model, board, calibration, name, parse_method(calibrator), parse_shapes(shapes), ticker, prune=not no_prune
        )
    footprint = measure_footprint(compiled)
    folder = Path(output) if output else Path("build") / compiled.name
    files = save(compiled, folder)
    if calibration is None:
        warn(
            "no --calibration: ranges were guessed from made-up inputs, so the accuracy is UNKNOWN. "
            "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images."
        )
    if as_json:
        print_json({**model_json(compiled, footprint), "files": [str(path) for path in files]})
        return
    console = out()
    for line in model_lines(compiled, footprint):
        console.print(line, markup=False)
    if calibration is not None:
        console.print(f"  ranges  from {compiled.calibration_samples} samples, {calibrator}", markup=False)
    console.print(f"  wrote   {', '.join(map(str, files))}", markup=False)
    console.print(f"next: mcuq run {folder}", markup=False)
