"""mcuq flash: the model onto the board."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from mcuq.artifact import load_all, save_bytes
from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.build.esp_idf import build_idf_firmware, is_esp_idf
from mcuq.build.firmware import Firmware, build_firmware, build_loader, check_driver
from mcuq.cli.common import command_line, json_option, out, print_json, progress
from mcuq.cli.options import complete_board, gathered, refuse_unused
from mcuq.compile import CompiledModel
from mcuq.device.find import board_baud, find_port
from mcuq.device.flash import METHODS, flash_method
from mcuq.device.flash.mcuq_loader import McuqLoader
from mcuq.device.link import open_link
from mcuq.device.session import Session
from mcuq.device.weights import check_weights, update_weights
from mcuq.errors import BoardError


@dataclass(frozen=True)
class _Instead:
    """Whether weights alone are sent, or the loader is written, and not the model's firmware."""

    weights: bool
    loader: bool


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option("--port", metavar="PORT", help="Serial port or URL; for other methods: flash_port of mcuq boards NAME.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the firmware there and not to a board: an ELF, or the image where FILE ends in .bin.",
)
@click.option(
    "--board",
    metavar="NAME",
    shell_complete=complete_board,
    help="Another board with the same CPU features.  [default: the model's]",
)
@click.option("--method", metavar="NAME", help=f"One of: {', '.join(METHODS)}.  [default: the board's]")
@click.option("--weights", is_flag=True, help="Send ID.weights.bin alone to a device that runs the model in DIR.")
@click.option("--loader", is_flag=True, help="Write mcuq's resident loader instead, by another method than its own.")
@json_option
@gathered("instead", ("weights", "loader"), _Instead)
def flash(
    folder: str,
    port: str | None,
    output: str | None,
    board: str | None,
    method: str | None,
    instead: _Instead,
    as_json: bool,
) -> None:
    """Build the firmware of the model in DIR for its board, write it there, check it and start it.

    Several models in DIR that share an arena go into one firmware; give DIR/ID.mcuq for one of them alone.

    What PORT is depends on the method: a serial port (/dev/ttyACM0, COM3) or a URL of pyserial
    (socket://host:port), a debug probe's id, or the folder of a USB drive.

    \b
    Example:  mcuq flash build/model --port /dev/ttyACM0
    """
    if (port is None) == (output is None):
        raise click.UsageError("give --port PORT, or --output FILE for the firmware alone")
    models = load_all(folder)
    target = load_board(board) if board else models[0].board
    loader = instead.loader
    if instead.weights:
        refuse_unused("does not go with --weights, which is sent over the serial port", "output", "method", "loader")
        _send_weights(models, target, str(port), command_line("flash", folder, "--port", str(port)), as_json)
        return
    build = build_idf_firmware if is_esp_idf(target) else build_firmware
    if output is not None:
        _write(build_loader(target) if loader else build(models, target), Path(output), as_json)
        return
    assert port is not None
    if not is_esp_idf(target):
        check_driver(target)
    chosen = flash_method(target, method)
    if loader and isinstance(chosen, McuqLoader):
        raise BoardError("--loader: the loader cannot write itself; give another --method, such as pyocd")
    if port == "auto" and chosen.is_serial:
        port = find_port(target)
    firmware = build_loader(target) if loader else build(models, target)
    started_s = time.monotonic()
    with progress() as ticker:
        chosen.flash(firmware, port, ticker)
    seconds = time.monotonic() - started_s
    if as_json:
        facts = {"board": target.name, "bytes": len(firmware.image), "seconds": round(seconds, 3)}
        print_json(
            {
                "name": ",".join(model.name for model in models),
                **facts,
                "address": firmware.address,
                "build": firmware.build,
            }
        )
        return
    what = "loader" if loader else ", ".join(model.name for model in models)
    out().print(
        f"{what}: {len(firmware.image):,} bytes at {firmware.address:#010x} of {target.name}, checked and started, in "
        f"{seconds:.1f} s ({firmware.build})",
        markup=False,
    )
    if not loader:
        line = port if chosen.is_serial else "PORT"  # where the method writes elsewhere than to the serial port
        again = ("validate", folder, "--port", line, *(("--board", board) if board else ()))
        out().print(f"  next: {command_line(*again)}", markup=False)


def _send_weights(models: Sequence[CompiledModel], board: Board, port: str, mend: str, as_json: bool) -> None:
    """The weights of the model alone, into the slot that the device does not use."""
    if len(models) > 1:
        raise BoardError("--weights: firmware of several models takes none; flash them all, without --weights")
    (model,) = models
    check_weights(model, board)
    assert model.blob is not None
    port = find_port(board) if port == "auto" else port
    started_s = time.monotonic()
    with Session(open_link(port, board_baud(board)), mend=mend) as session, progress() as ticker:
        update_weights(model, board, session, mend, ticker)
    seconds = time.monotonic() - started_s
    if as_json:
        facts = {"board": board.name, "bytes": len(model.blob), "seconds": round(seconds, 3)}
        print_json({"name": model.name, **facts})
        return
    out().print(
        f"{model.name}: {len(model.blob):,} bytes of weights sent to {port} and in use, in {seconds:.1f} s",
        markup=False,
    )


def _write(firmware: Firmware, path: Path, as_json: bool) -> None:
    save_bytes(path, firmware.image if path.suffix == ".bin" else firmware.elf)
    facts = {"file": str(path), "bytes": len(firmware.image), "address": firmware.address, "build": firmware.build}
    if as_json:
        print_json(facts)
        return
    out().print(
        f"{path}: {len(firmware.image):,} bytes for {firmware.address:#010x} of {firmware.board.name} "
        f"({firmware.build})",
        markup=False,
    )
