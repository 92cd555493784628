"""Ways to get a program onto a board: one class a method, chosen by the board file."""

from __future__ import annotations

from mcuq.boards.facts import FLASH_METHODS, Board
from mcuq.device.flash.esptool import EspTool
from mcuq.device.flash.mcuboot import McuBoot
from mcuq.device.flash.mcuq_loader import McuqLoader
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.device.flash.pyocd import PyOcd
from mcuq.device.flash.stm32_rom import Stm32RomLoader
from mcuq.device.flash.teensy import Teensy
from mcuq.device.flash.uf2 import Uf2Copy
from mcuq.errors import BoardError

METHODS: dict[str, type[FlashMethod]] = {
    "mcuq-loader": McuqLoader,
    "stm32-rom": Stm32RomLoader,
    "esptool": EspTool,
    "uf2": Uf2Copy,
    "pyocd": PyOcd,
    "teensy": Teensy,
    "mcuboot": McuBoot,
}

__all__ = ["METHODS", "FlashMethod", "Progress", "flash_method", "silent"]


def flash_method(board: Board, name: str | None = None) -> FlashMethod:
    """The method of the board's file, or the one called `name`, with the board's options for it.

    Raises BoardError for a board that says none, or a name that is none.
    """
    if name is None and board.flashing is None:
        raise BoardError(
            f"board '{board.name}' says no way to flash it; add [flash] method to its file, or give --method: "
            f"{', '.join(METHODS)}"
        )
    name = name or (board.flashing.method if board.flashing else "")
    if name not in METHODS:
        raise BoardError(f"--method '{name}' is not known; use one of: {', '.join(METHODS)}")
    given = board.flashing.options if board.flashing else ()
    return METHODS[name]({key: value for key, value in given if key in FLASH_METHODS[name].options})
