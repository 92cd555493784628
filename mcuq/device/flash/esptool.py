"""Espressif's chips, through esptool (GPL-2.0-or-later: run as a program, never imported)."""

from __future__ import annotations

from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.system.tool import program, run_program
from mcuq.system.work_folder import work_folder

MOST_S = 300.0
BAUD = 460_800


class EspTool(FlashMethod):
    """`esptool write_flash`, which resets the chip into its ROM loader, checks what it wrote, and starts it."""

    port_is: ClassVar[str] = "a serial port"
    is_serial: ClassVar[bool] = True

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write the image where the board file's `offset` says."""
        tool = program("esptool", "esptool.py", "esptool")
        chip = ["--chip", self.text("chip", "auto"), "--port", port, "--baud", str(BAUD)]
        offset = f"{int(self.options.get('offset', 0)):#x}"
        tick = progress("flashing", len(firmware.image))
        with work_folder() as folder:
            path = folder / "firmware.bin"
            path.write_bytes(firmware.image)
            # With an underscore: esptool 4 knows no other name, esptool 5 takes both.
            run_program([*tool, *chip, "write_flash", offset, str(path)], "esptool", MOST_S)
        tick(len(firmware.image))
