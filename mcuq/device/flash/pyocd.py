"""Boards with a debug probe (CMSIS-DAP, J-Link, ST-LINK), through pyOCD (Apache-2.0)."""

from __future__ import annotations

from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.errors import BoardError
from mcuq.system.tool import program, run_program
from mcuq.system.work_folder import work_folder

MOST_S = 300.0


class PyOcd(FlashMethod):
    """`pyocd load`, then `pyocd reset`. pyOCD erases the sectors that it writes and checks them."""

    port_is: ClassVar[str] = "the probe's unique id (pyocd list), or auto"

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write the image at its address and start it."""
        if "target" not in self.options:
            raise BoardError(
                f"board '{firmware.board.name}': [flash] target is missing; pyocd list --targets shows their names"
            )
        tool = program("pyocd", "pyocd", "pyocd")
        probe = ["--no-wait", "--target", self.text("target")] + (["--uid", port] if port != "auto" else [])
        tick = progress("flashing", len(firmware.image))
        with work_folder() as folder:
            path = folder / "firmware.bin"
            path.write_bytes(firmware.image)
            address = f"{firmware.address:#x}"
            load = [*tool, "load", *probe, "--format", "bin", "--base-address", address, str(path)]
            run_program(load, "pyocd load", MOST_S)
        tick(len(firmware.image))
        run_program([*tool, "reset", *probe], "pyocd reset", MOST_S)
