"""mcuq diagnose: where accuracy is lost, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from mcuq.boards import load_board
from mcuq.cli.common import decibels, json_option, out, print_json, progress, shortened
from mcuq.cli.options import calibration_options, parse_shapes, scheme_options, shape_option
from mcuq.compile import calibration_samples, quantize_model
from mcuq.diagnose.histogram import Histogram
from mcuq.diagnose.report import Diagnosis, LayerDiagnosis, diagnose_model
from mcuq.errors import DataError
from mcuq.quantize import CalibrationMethod, Scheme

SHOWN = 5


@click.command(short_help="Show which layers lose accuracy, and what helps.")
@click.argument("model", type=click.Path())
@click.option("--board", required=True, metavar="NAME", help="A board of `mcuq boards`, or a board's .toml file.")
@calibration_options
@click.option("--data", type=click.Path(), metavar="DATA", help="Inputs to measure on.  [default: --calibration]")
@scheme_options
@shape_option
@json_option
def diagnose(
    model: str,
    board: str,
    calibration: str | None,
    method: CalibrationMethod,
    data: str | None,
    scheme: Scheme,
    shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Quantize the ONNX file MODEL as compile does, and measure the error that each layer adds.

    Layers are ranked by what quantizing them alone costs the model's output. All figures are signal to quantization
    noise ratios, in dB: 6 dB are one bit.

    \b
    Example:  mcuq diagnose model.onnx --board cortex-m4 --calibration inputs.npz
    """
    measured = data or calibration
    if measured is None:
        raise DataError("diagnose: needs inputs to measure errors on; give --calibration DATA or --data DATA")
    with progress() as ticker:
        quantized = quantize_model(model, calibration, method, parse_shapes(shapes), ticker, scheme)
        tick = ticker("measuring layers", None)
        samples = calibration_samples(quantized.float_graph, measured)
        found = diagnose_model(quantized, load_board(board), samples, tick=tick)
    if as_json:
        print_json({"model": model, "board": board, **_json(found)})
        return
    console = out()
    console.print(f"{model}: {found.sqnr_db:.1f} dB at '{found.output}' over {found.samples} samples", markup=False)
    console.print(_table(found))
    console.print("the layers that cost most:")
    for layer in found.layers[:SHOWN]:
        for line in _details(layer):
            console.print(line, markup=False)


def _table(found: Diagnosis) -> Table:
    titles = ("impact", "alone", "so far", "cosine", "channel", "inputs", "weights", "output", "bytes", "float")
    table = Table("layer", "operator", box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right")
    for layer in found.layers:
        figures = (layer.impact_db, layer.alone_db, layer.accumulated_db)
        parts = (layer.inputs_db, layer.weights_db, layer.rounding_db)
        table.add_row(
            Text(shortened(layer.name, 32)),
            layer.op,
            *map(decibels, figures),
            f"{layer.cosine:.5f}",
            f"{layer.worst_channel}: {decibels(layer.worst_channel_db)}",
            *map(decibels, parts),
            f"{layer.quantized_bytes:,}",
            f"{layer.float_bytes:,}",
        )
    return table


def _details(layer: LayerDiagnosis) -> Iterator[str]:
    yield f"  {shortened(layer.name, 60)} ({layer.op}, {decibels(layer.impact_db)} dB): {layer.advice.text}"
    for title, histogram in (("weights", layer.weight_histogram), ("output", layer.output_histogram)):
        if histogram is not None:
            yield f"    {title:<8} {_histogram(histogram)}"
    if layer.clipped:
        yield f"             {100 * layer.clipped:.3g} % of the output's values are outside its range"


def _histogram(found: Histogram) -> str:
    return f"{found.low:9.3g} {found.bars()} {found.high:<9.3g} range {found.clip_low:.3g} .. {found.clip_high:.3g}"


def _json(found: Diagnosis) -> dict[str, object]:
    return asdict(found)
