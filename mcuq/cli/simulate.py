"""mcuq simulate: what quantization costs."""

from __future__ import annotations

from dataclasses import asdict

import click

from mcuq.artifact import load
from mcuq.cli.common import json_option, out, percent, print_json, progress, warn
from mcuq.compile import calls_for
from mcuq.quantize import sqnr_text
from mcuq.validate import measure_accuracy
from mcuq.validate.after import result_json, result_lines, simulated


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option(
    "--data", required=True, type=click.Path(), metavar="DATA", help=".npz with `x` and labels `y`, or a folder."
)
@json_option
def simulate(folder: str, data: str, as_json: bool) -> None:
    """Run the bit-exact simulator of the model in DIR over a data set, next to the float model.

    \b
    Example:  mcuq simulate build/model --data test.npz
    """
    model = load(folder)
    dataset = calls_for(model.graph, model.heard(data))
    with progress() as ticker:
        report = measure_accuracy(model, dataset, ticker("simulating", len(dataset)))
    results = simulated(model, dataset)
    for note in report.notes:
        warn(note)
    if as_json:
        after = {"after": result_json(results)} if model.after else {}
        print_json({**asdict(report), **after})
        return
    console = out()
    console.print(f"{model.name}: {report.samples:,} samples", markup=False)
    if report.accuracy is not None:
        console.print(f"  accuracy    {percent(report.accuracy)}   float {percent(report.float_accuracy)}")
    console.print(f"  agreement   {percent(report.agreement)}   with the float model")
    for quality in report.outputs:
        console.print(f"  SQNR        {sqnr_text(quality.sqnr_db)}   of '{quality.tensor}'", markup=False)
    for line in result_lines(results):
        console.print(line, markup=False)
