"""mcuq validate: the device against the simulator, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from mcuq.artifact import load_all
from mcuq.cli.common import command_line, json_option, out, print_json, progress, warn
from mcuq.cli.exit_codes import DIFFERS, WRONG
from mcuq.cli.options import complete_board, data_option, gathered, one_for_each
from mcuq.compile import CompiledModel, on_board
from mcuq.device.find import board_baud, find_port
from mcuq.device.link import Link
from mcuq.device.recorder import Recorder
from mcuq.validate.device import DeviceReport
from mcuq.validate.fleet import Member, validate_fleet, validate_port
from mcuq.validate.inputs import int8_inputs


@dataclass(frozen=True)
class _Inputs:
    """The first `samples` of `data`, one for each model; all for None, and made-up ones for none."""

    data: tuple[str, ...]
    samples: int | None


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option(
    "--port",
    "ports",
    required=True,
    multiple=True,
    metavar="PORT",
    help="Serial port, URL such as socket://HOST:PORT, or auto; repeat it for several devices at once.",
)
@click.option(
    "--board",
    metavar="NAME",
    shell_complete=complete_board,
    help="The board that it was flashed to, if another.  [default: the model's]",
)
@data_option
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Only the first N.  [default: all]")
@click.option("--baud", type=click.IntRange(min=1), metavar="RATE", help="Bits a second.  [default: the board's]")
@click.option("--record", type=click.Path(), metavar="FILE", help="Keep all bytes of the line, to be replayed.")
@json_option
@gathered("wanted", ("data", "samples"), _Inputs)
def validate(
    folder: str,
    ports: tuple[str, ...],
    board: str | None,
    wanted: _Inputs,
    baud: int | None,
    record: str | None,
    as_json: bool,
) -> None:
    """Run inputs on the device at PORT, which has the model in DIR, and compare every output byte.

    Several models in DIR, which were flashed together, are compared in turn; give DIR/ID.mcuq for one of them alone.
    Reads cycles and the high-water marks of stack and arena too. On a difference, names the first layer that
    differs. Exits with 3 if any byte differs from the simulator's.

    \b
    Example:  mcuq validate build/model --port /dev/ttyACM0 --data test.npz
    """
    if record is not None and len(ports) > 1:
        raise click.UsageError("--record is for one --port")
    models = [on_board(model, board) for model in load_all(folder)]
    if record is not None and len(models) > 1:
        raise click.UsageError("--record is for one model; give the path of one: DIR/ID.mcuq")
    target = models[0].board
    found = [find_port(target) if port == "auto" else port for port in ports]
    rate = baud or board_baud(target)
    data = one_for_each("--data", wanted.data, models)

    def mend(port: str) -> str:
        return command_line("flash", folder, "--port", port, *(("--board", board) if board else ()))

    def wrap(link: Link) -> Link:
        return link if record is None else Recorder(link, record)

    fleets: list[tuple[Member, ...]] = []
    for model, own in zip(models, data, strict=True):
        total, batches = int8_inputs(model, own, wanted.samples)
        with progress() as ticker:
            ticks = [ticker(port if len(found) > 1 else "validating", total) for port in found]
            if len(found) == 1:
                (port,) = found
                report = validate_port(model, batches, port, rate, mend(port), ticks[0], wrap)
                fleets.append((Member(port, report, None),))
            else:
                fleets.append(validate_fleet(model, batches, found, rate, mend, ticks))
        if not as_json:
            for member in fleets[-1]:
                for line in member_lines(member, model.name):
                    out().print(line, markup=False)
    if as_json:
        print_json(_json(models, fleets))
    members = [member for fleet in fleets for member in fleet]
    for member in members:
        _warn(member)
    reports = [member.report for member in members if member.report is not None]
    if not all(report.bit_exact and report.weights_intact for report in reports):
        click.get_current_context().exit(DIFFERS)
    if len(reports) < len(members):
        click.get_current_context().exit(WRONG)


def _json(models: Sequence[CompiledModel], fleets: Sequence[tuple[Member, ...]]) -> dict[str, Any]:
    """The facts of one model; sums over several, then each."""
    each = [device_json(fleet[0]) if len(fleet) == 1 else fleet_json(fleet) for fleet in fleets]
    if len(each) == 1:
        return each[0]
    named = [{"name": model.name, **facts} for model, facts in zip(models, each, strict=True)]
    return {**{key: sum(facts[key] for facts in each) for key in ("samples", "mismatches")}, "models": named}


def device_json(member: Member) -> dict[str, Any]:
    """The facts of one device, or its error."""
    if member.report is None:
        return {"port": member.port, "error": member.error}
    return {**asdict(member.report), "bit_exact": member.report.bit_exact}


def fleet_json(fleet: tuple[Member, ...]) -> dict[str, Any]:
    """Sums over all devices, then each."""
    reports = [member.report for member in fleet if member.report]
    return {
        "samples": sum(report.samples for report in reports),
        "mismatches": sum(report.mismatches for report in reports),
        "failed": len(fleet) - len(reports),
        "devices": [device_json(member) for member in fleet],
    }


def member_lines(member: Member, name: str) -> Iterator[str]:
    """One device for people."""
    if member.report is None:
        yield f"{name} at {member.port}: failed"
        return
    yield from device_lines(member.report, name)


def device_lines(report: DeviceReport, name: str) -> Iterator[str]:
    """The report for people."""
    yield f"{name} on {report.board} at {report.port} ({report.build})"
    if report.cycles is not None:
        spread = f"{report.cycles_min:,} to {report.cycles_max:,}"
        time = f", {1000 * report.cycles / report.clock_hz:.3f} ms" if report.clock_hz and not report.emulated else ""
        note = " (the emulator's time)" if report.emulated else ""
        yield f"  cycles   {report.cycles:>10,} an inference in the median ({spread}){time}{note}"
    yield f"  stack    {report.stack_bytes:>10,} bytes"
    yield f"  arena    {report.arena_bytes:>10,} bytes"
    wire = f"{report.sent_bytes:,.0f} bytes to the device, {report.received_bytes:,.0f} back"
    yield f"  line     {report.sent_bytes + report.received_bytes:>10,.0f} bytes an inference: {wire}"
    if report.repeats or report.starts:
        yield f"  repaired {report.repeats:>10,} sent again, {report.starts} starts of the device"
    equal = report.compared_bytes - report.mismatches
    verdict = "bit-exact" if report.bit_exact else "NOT bit-exact"
    yield f"  {verdict}: {equal:,} of {report.compared_bytes:,} output bytes equal, {report.samples:,} samples"


def _warn(member: Member) -> None:
    report = member.report
    if report is None:
        warn(str(member.error))
        return
    if report.first_mismatch is not None:
        warn(f"{report.port}: first difference: {report.first_mismatch}")
        if report.first_layer is not None:
            warn(f"{report.port}: first layer that differs: {report.first_layer}")
        else:
            warn(f"{report.port}: run layer by layer, the same sample was right: the device does not repeat itself")
    if not report.weights_intact:
        warn(f"{report.port}: the model's constants in the device's memory have changed since the start")
