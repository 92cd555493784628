"""mcuq diagnose: where accuracy is lost, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from mcuq.artifact import save_text
from mcuq.boards.find import load_board
from mcuq.cli.candidates import candidates_json, candidates_lines
from mcuq.cli.common import decibels, json_option, out, print_json, print_lines, progress
from mcuq.cli.options import (
    RECOVERY_PARAMETERS,
    board_option,
    calibration_option,
    method_option,
    option_group,
    recovery_options,
    refuse_unused,
    scheme_options,
    selection_options,
    shape_options,
    with_options,
)
from mcuq.cli.table import Column, Row, table_lines
from mcuq.compile import calibration_samples, model_identifier, quantize_as
from mcuq.diagnose.histogram import Histogram
from mcuq.diagnose.remedies import remedies
from mcuq.diagnose.report import Diagnosis, LayerDiagnosis, diagnose_model
from mcuq.errors import DataError
from mcuq.options import Options
from mcuq.quantize import scheme_toml, sqnr_text
from mcuq.report.candidates import Candidate, Figures, Workbench

SHOWN = 5


@dataclass(frozen=True)
class Remedy:
    """Whether remedies are wanted, and the folder for their schemes."""

    wanted: bool
    output: str | None


remedy_options = option_group(
    "remedy",
    lambda **given: Remedy(given["fix"], given["output"]),
    click.option("--fix", is_flag=True, help="Try remedies, and show what each gives and takes on the board."),
    click.option(
        "-o", "--output", type=click.Path(), metavar="DIR", help="Where --fix writes schemes.  [default: build/ID]"
    ),
)


@click.command()
@click.argument("model", type=click.Path())
@board_option
@calibration_option
@method_option
@recovery_options
@click.option("--data", type=click.Path(), metavar="DATA", help="Inputs to measure on.  [default: --calibration]")
@remedy_options
@scheme_options
@shape_options
@selection_options
@json_option
@with_options("scheme", "method", "recovery", "shapes", "selected")
def diagnose(
    model: str,
    board: str,
    calibration: str | None,
    options: Options,
    data: str | None,
    remedy: Remedy,
    as_json: bool,
) -> None:
    """Quantize the ONNX or TensorFlow Lite file MODEL as compile does, and measure the error that each layer adds.

    Layers are ranked by what quantizing them alone costs the model's output. All figures are signal to quantization
    noise ratios, in dB: 6 dB are one bit. With --fix remedies are tried: other calibrators and roundings, equalization,
    clipped weights, int16 activations of the worst layers, the worst layer in float.

    \b
    Example:  mcuq diagnose model.onnx --board cortex-m4 --calibration inputs.npz --fix
    """
    if not remedy.wanted:
        refuse_unused("is where --fix writes schemes; give --fix", "output")
    if calibration is None:
        refuse_unused("needs real inputs; give --calibration DATA", *RECOVERY_PARAMETERS)
    measured = data or calibration
    if measured is None:
        raise DataError("diagnose: needs inputs to measure errors on; give --calibration DATA or --data DATA")
    unjudged = replace(options, judged=False)
    with progress() as ticker:
        quantized = quantize_as(model, calibration, unjudged, ticker)
        tick = ticker("measuring layers", None)
        samples = calibration_samples(quantized.float_graph, measured)
        found = diagnose_model(quantized, load_board(board), samples, tick=tick)
        now = Candidate("as it is", options.scheme, options.method, options.recovery)
        tried: dict[Candidate, Figures] = {}
        if remedy.wanted:
            bench = Workbench(model, load_board(board), calibration or measured, measured, unjudged)
            wanted = [now, *remedies(found, now)]
            tick = ticker("trying remedies", len(wanted))
            for candidate in wanted:
                tried[candidate] = bench.measure(candidate)
                tick()
    folder = Path(remedy.output) if remedy.output else Path("build") / model_identifier(None, Path(model))
    how = {candidate: _adopt(candidate, now, folder) for candidate in tried}
    if as_json:
        remedied = [{**row, "options": o} for row, o in zip(candidates_json(tried), how.values(), strict=True)]
        print_json({"model": model, "board": board, **asdict(found), "remedies": remedied})
        return
    console = out()
    console.print(f"{model}: {sqnr_text(found.sqnr_db)} at '{found.output}' over {found.samples} samples", markup=False)
    print_lines(_table(found, console.width))
    console.print("the layers that cost most:")
    for layer in found.layers[:SHOWN]:
        for line in _details(layer):
            console.print(line, markup=False)
    if tried:
        remarks = {candidate: f"mcuq compile ... {options}" for candidate, options in how.items() if options}
        print_lines(candidates_lines("remedy", tried, remarks, console.width, tried[now]))


def _adopt(candidate: Candidate, now: Candidate, folder: Path) -> str:
    """The options for compile; a scheme of layers is written to a file in the folder."""
    options = [f"--calibrator {candidate.method}"] if candidate.method != now.method else []
    if candidate.recovery.rounding != now.recovery.rounding:
        options.append(f"--rounding {candidate.recovery.rounding}")
    if now.recovery.equalization and not candidate.recovery.equalization:
        options.append("--no-equalization")
    if candidate.scheme == replace(now.scheme, clip_weights=True) and not now.scheme.clip_weights:
        options.append("--clip-weights")
    elif candidate.scheme != now.scheme:
        path = folder / f"{candidate.title.replace(' ', '_')}.toml"
        save_text(path, scheme_toml(candidate.scheme))
        options.append(f"--scheme {path}")
    return " ".join(options)


def _table(found: Diagnosis, width: int) -> Iterator[str]:
    ranks = {"cosine": 2, "channel": 1, "bytes": 3, "float": 4}
    titles = ("impact", "alone", "so far", "cosine", "channel", "inputs", "weights", "output", "bytes", "float")
    columns = [Column("operator", is_number=False), *(Column(title, ranks.get(title, 0)) for title in titles)]
    rows = []
    for layer in found.layers:
        figures = (layer.impact_db, layer.alone_db, layer.accumulated_db)
        parts = (layer.inputs_db, layer.weights_db, layer.rounding_db)
        cells = [
            layer.op,
            *map(decibels, figures),
            f"{layer.cosine:.5f}",
            f"{layer.worst_channel}: {decibels(layer.worst_channel_db)}",
            *map(decibels, parts),
            f"{layer.quantized_bytes:,}",
            f"{layer.float_bytes:,}",
        ]
        rows.append(Row(layer.name, cells))
    return table_lines("layer", columns, rows, width)


def _details(layer: LayerDiagnosis) -> Iterator[str]:
    yield f"  {layer.name} ({layer.op}, {sqnr_text(layer.impact_db)}): {layer.advice.text}"
    for title, histogram in (("weights", layer.weight_histogram), ("output", layer.output_histogram)):
        if histogram is not None:
            yield f"    {title:<8} {_histogram(histogram)}"
    if layer.clipped:
        yield f"             {100 * layer.clipped:.3g} % of the output's values are outside its range"


def _histogram(found: Histogram) -> str:
    return f"{found.low:9.3g} {found.bars()} {found.high:<9.3g} range {found.clip_low:.3g} .. {found.clip_high:.3g}"
