"""mcuq run: the C against the simulator, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from mcuq.artifact import load_all
from mcuq.cli.common import json_option, out, print_json, progress, warn
from mcuq.cli.exit_codes import DIFFERS
from mcuq.cli.options import data_option, one_for_each
from mcuq.compile import CompiledModel
from mcuq.validate import BitsReport, check_bits
from mcuq.validate.after import Results, result_json, result_lines
from mcuq.validate.bits import TARGETS
from mcuq.validate.inputs import int8_inputs


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@data_option
@click.option("--on", type=click.Choice([*TARGETS]), help="Where to run.  [default: emulator, if the board has one]")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Only the first N.  [default: all]")
@json_option
def run(folder: str, data: tuple[str, ...], on: str | None, samples: int | None, as_json: bool) -> None:
    """Build the C in DIR, run it on this computer or the emulated board, and compare every output byte.

    Several models in DIR run one after the other; give DIR/ID.mcuq for one of them alone. Exits with 3 if any byte
    differs from the simulator's.

    \b
    Example:  mcuq run build/model --data test.npz --on emulator
    """
    models = load_all(folder)
    reports, behind = [], []
    for model, own in zip(models, one_for_each("--data", data, models), strict=True):
        total, batches = int8_inputs(model, own, samples)
        with progress() as ticker:
            results = Results(model)
            reports.append(check_bits(model, results.watch(batches), on, results.see, ticker("running", total)))
        behind.append(results.found)
        if not as_json:
            for line in (*run_lines(model, reports[-1]), *result_lines(results.found)):
                out().print(line, markup=False)
    if as_json:
        print_json(_json(models, reports, behind))
    for report in reports:
        if not report.bit_exact:
            warn(f"first difference: {report.first_mismatch}")
    if not all(report.bit_exact for report in reports):
        click.get_current_context().exit(DIFFERS)


def _json(
    models: Sequence[CompiledModel], reports: Sequence[BitsReport], behind: Sequence[list[Any]]
) -> dict[str, Any]:
    """The facts of one model; sums over several, then each."""
    each = [
        {**asdict(report), "bit_exact": report.bit_exact, **({"after": result_json(results)} if model.after else {})}
        for model, report, results in zip(models, reports, behind, strict=True)
    ]
    if len(each) == 1:
        return each[0]
    return {
        "samples": sum(report.samples for report in reports),
        "mismatches": sum(report.mismatches for report in reports),
        "bit_exact": all(report.bit_exact for report in reports),
        "models": [{"name": model.name, **facts} for model, facts in zip(models, each, strict=True)],
    }


def run_lines(model: CompiledModel, report: BitsReport) -> Iterator[str]:
    """The report for people."""
    yield f"{model.name} on {TARGETS[report.on].called(model)} ({report.compiler})"
    if report.instructions is not None:
        yield f"  instructions   {report.instructions:,} an inference"
        yield f"  stack          {report.stack_bytes:,} bytes"
    equal = report.compared_bytes - report.mismatches
    verdict = "bit-exact" if report.bit_exact else "NOT bit-exact"
    yield f"  {verdict}: {equal:,} of {report.compared_bytes:,} output bytes equal, {report.samples:,} samples"
