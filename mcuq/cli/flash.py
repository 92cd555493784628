"""mcuq flash: the model onto the board."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mcuq.artifact import load_all, save_bytes
from mcuq.boards.find import load_board
from mcuq.build.esp_idf import build_idf_firmware, is_esp_idf
from mcuq.build.firmware import Firmware, build_firmware, build_loader, check_driver
from mcuq.cli.common import command_line, json_option, out, print_json, progress
from mcuq.cli.options import complete_board
from mcuq.device.find import find_port
from mcuq.device.flash import METHODS, flash_method
from mcuq.device.flash.mcuq_loader import McuqLoader
from mcuq.errors import BoardError


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
@click.option("--loader", is_flag=True, help="Write mcuq's resident loader instead, by another method than its own.")
@json_option
def flash(
    folder: str,
    port: str | None,
    output: str | None,
    board: str | None,
    method: str | None,
    loader: bool,
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
