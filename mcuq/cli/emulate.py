"""mcuq emulate: an emulated board with the model's firmware, on a pseudo-terminal."""

from __future__ import annotations

import signal
import time
from types import FrameType

import click

from mcuq.artifact import load
from mcuq.boards.find import load_board
from mcuq.cli.common import command_line, json_option, out, print_json
from mcuq.cli.exit_codes import INTERRUPTED
from mcuq.cli.options import complete_board
from mcuq.emulate.machine import Machine, emulate
from mcuq.errors import BuildError

_LOOK_EVERY_S = 0.2


@click.command("emulate")
@click.argument("folder", metavar="DIR", type=click.Path())
@click.option(
    "--board",
    metavar="NAME",
    shell_complete=complete_board,
    help="A board of `mcuq boards`, or a .toml file.  [default: the model's]",
)
@click.option("--empty", is_flag=True, help="With mcuq's loader alone, so that the model can be flashed.")
@json_option
def emulate_(folder: str, board: str | None, empty: bool, as_json: bool) -> None:
    """Build the firmware of the model in DIR, start it on an emulated board, and print the port it answers on.

    The port is like any other: flash and validate work on it until Ctrl-C switches the board off.

    \b
    Example:  mcuq emulate build/model --board mps2-an386
    """
    model = load(folder)
    target = load_board(board) if board else model.board
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
    ):  # a shell starts background jobs with SIGINT ignored; Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    try:
        with emulate(model, target, empty) as machine:
            if as_json:
                facts = {"name": model.name, "board": target.name, "port": machine.port, "empty": empty}
                print_json({**facts, "emulator": machine.emulator})
            else:
                what = "mcuq's loader" if empty else model.name
                out().print(f"{what} on emulated {target.name}: {machine.port}", markup=False)
                verb = "flash" if empty else "validate"
                command = command_line(verb, folder, "--port", machine.port, *(("--board", board) if board else ()))
                out().print(f"  next, elsewhere: {command}", markup=False)
                out().print("  Ctrl-C switches it off", markup=False)
            _wait(machine)
    except KeyboardInterrupt:  # the object of --json is out already
        click.get_current_context().exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ending the command by `kill`, or closing its terminal, switches the board off as Ctrl-C does."""
    raise KeyboardInterrupt


def _wait(machine: Machine) -> None:
    while machine.is_running:
        time.sleep(_LOOK_EVERY_S)
    raise BuildError(f"{machine.emulator} has ended; start the board again")
