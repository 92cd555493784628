"""The table of emulators: a new one is a class, a key of [cpu] in board files, and a line here.

`run` and `profile` take the first that has the board's CPU; nothing compares a name.
"""

from __future__ import annotations

from mcuq.boards.facts import Board
from mcuq.emulate.emulator import Emulator, has_cpu
from mcuq.emulate.on_qemu import OnQemu
from mcuq.emulate.on_unicorn import OnUnicorn

EMULATORS: dict[str, type[Emulator]] = {"unicorn": OnUnicorn, "qemu": OnQemu}


def emulator_for(board: Board) -> type[Emulator] | None:
    """What runs models on the board's CPU; None where nothing has it."""
    return next((emulator for emulator in EMULATORS.values() if has_cpu(emulator, board)), None)
