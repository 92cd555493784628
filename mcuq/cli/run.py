"""mcuq run: the C against the simulator, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from mcuq.artifact import load
from mcuq.cli.common import json_option, out, print_json, progress, warn
from mcuq.cli.exit_codes import DIFFERS
from mcuq.compile import CompiledModel
from mcuq.validate import BitsReport, check_bits
from mcuq.validate.bits import TARGETS
from mcuq.validate.inputs import int8_inputs


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--data", type=click.Path(), metavar="DATA", help=".npz with `x`, or a folder.  [default: made up]")
@click.option("--on", type=click.Choice([*TARGETS]), help="Where to run.  [default: emulator, if the board has one]")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Only the first N.  [default: all]")
@json_option
def run(folder: str, data: str | None, on: str | None, samples: int | None, as_json: bool) -> None:
    """Build the C in DIR, run it on this computer or the emulated board, and compare every output byte.

    Exits with 3 if any byte differs from the simulator's.

    \b
    Example:  mcuq run build/model --data test.npz --on emulator
    """
    model = load(folder)
    total, batches = int8_inputs(model, data, samples)
    with progress() as ticker:
        report = check_bits(model, batches, on, tick=ticker("running", total))
    if as_json:
        print_json({**asdict(report), "bit_exact": report.bit_exact})
    else:
        for line in run_lines(model, report):
            out().print(line, markup=False)
    if not report.bit_exact:
        warn(f"first difference: {report.first_mismatch}")
        click.get_current_context().exit(DIFFERS)


def run_lines(model: CompiledModel, report: BitsReport) -> Iterator[str]:
    """The report for people."""
    yield f"{model.name} on {TARGETS[report.on].called(model)} ({report.compiler})"
    if report.instructions is not None:
        yield f"  instructions   {report.instructions:,} an inference"
        yield f"  stack          {report.stack_bytes:,} bytes"
    equal = report.compared_bytes - report.mismatches
    verdict = "bit-exact" if report.bit_exact else "NOT bit-exact"
    yield f"  {verdict}: {equal:,} of {report.compared_bytes:,} output bytes equal, {report.samples:,} samples"
