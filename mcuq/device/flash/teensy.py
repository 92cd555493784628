"""PJRC's Teensy boards, through teensy_loader_cli (GPL-3.0: run as a program, never linked or imported)."""

from __future__ import annotations

import io
import shutil
from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.extra import import_extra
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.errors import BoardError, BuildError
from mcuq.system.tool import run_program
from mcuq.system.work_folder import work_folder

MOST_S = 120.0  # for somebody to press the board's button, and the writing


class Teensy(FlashMethod):
    """`teensy_loader_cli -w` waits for the button that starts the board's loader, writes, and starts the program."""

    port_is: ClassVar[str] = "auto: the board whose button is pressed"

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write the image as Intel HEX. The loader finds the board itself."""
        if "mcu" not in self.options:
            raise BoardError(
                f"board '{firmware.board.name}': [flash] mcu is missing; teensy_loader_cli --list-mcus shows "
                "their names"
            )
        if port != "auto":
            raise BoardError(
                f"--port {port}: teensy_loader_cli takes the board whose button is pressed; give --port auto"
            )
        tool = shutil.which("teensy_loader_cli")
        if tool is None:
            raise BuildError(
                "teensy_loader_cli: is not installed; install Debian's teensy-loader-cli or Homebrew's "
                "teensy_loader_cli, or build it: github.com/PaulStoffregen/teensy_loader_cli"
            )
        tick = progress("flashing (press the board's button)", len(firmware.image))
        with work_folder() as folder:
            path = folder / "firmware.hex"
            path.write_text(intel_hex(firmware.image, firmware.address), encoding="ascii")
            run_program([tool, f"--mcu={self.text('mcu')}", "-w", "-v", str(path)], "teensy_loader_cli", MOST_S)
        tick(len(firmware.image))


def intel_hex(image: bytes, address: int) -> str:
    """The image at its address as Intel HEX."""
    file = import_extra("intelhex").IntelHex()
    file.frombytes(image, offset=address)
    text = io.StringIO()
    file.write_hex_file(text)
    return text.getvalue()
