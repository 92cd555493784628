"""STM32 boards without mcuq's loader: the ROM's own, over the UART that ST's AN2606 names for the chip."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.flash.method import FlashMethod, Options, Progress, silent
from mcuq.device.flash.sectors import parse_sectors, sectors_under
from mcuq.device.flash.stm32_protocol import BLOCK_BYTES, Stm32Rom
from mcuq.device.link import SerialLink, open_link
from mcuq.errors import BoardError, DeviceError

# Where a byte is lost, one filler in 256 passes for the checksum of what is then written wrong.
WRITES = 2
RESET_S = 0.05  # how long the reset line is held, and the ROM takes to start


class Stm32RomLoader(FlashMethod):
    """Erases the sectors under the program, writes it, reads it back, and starts it."""

    port_is: ClassVar[str] = "a serial port at the pins of the chip's ROM loader"
    is_serial: ClassVar[bool] = True

    def __init__(
        self,
        options: Options,
        opener: Callable[..., SerialLink] = open_link,
        talk: Callable[[SerialLink], Stm32Rom] = Stm32Rom,
    ) -> None:
        super().__init__(options)
        self._open = opener
        self._talk = talk

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write and check the program; where the board file says that DTR and RTS reach BOOT0 and reset, use them."""
        assert firmware.board.uart is not None
        if "sectors" not in self.options:
            raise BoardError(f"board '{firmware.board.name}': [flash] sectors is missing; stm32-rom erases by them")
        sectors = sectors_under(parse_sectors(self.text("sectors")), len(firmware.image))
        with self._open(port, firmware.board.uart.baud, parity="E") as link:
            self._enter_rom(link)
            rom = self._talk(link)
            rom.connect()
            for attempt in range(WRITES):
                tick = progress("flashing" if attempt == 0 else "flashing again", 2 * len(firmware.image))
                rom.erase(sectors)
                wrong = _write(rom, firmware, tick)
                if wrong is None:
                    break
            else:
                raise DeviceError(
                    f"{port}: flash differs from what was written near {wrong:#010x}; run this again; if it stays, the "
                    f"flash is worn out or the chip is another than {firmware.board.name}'s"
                )
            self._set_boot0(link, 0)
            rom.go(firmware.address)

    def _enter_rom(self, link: SerialLink) -> None:
        """Reset into the ROM where lines are wired; else the user has done it by the jumper and the button."""
        self._set_boot0(link, 1)
        if "reset" in self.options:
            _set_line(link, self.text("reset"), 1)
            time.sleep(RESET_S)
            _set_line(link, self.text("reset"), 0)
            time.sleep(RESET_S)

    def _set_boot0(self, link: SerialLink, value: int) -> None:
        if "boot0" in self.options:
            _set_line(link, self.text("boot0"), value)


def _write(rom: Stm32Rom, firmware: Firmware, tick: Callable[[int], None]) -> int | None:
    """Write the image and read it back: the address of the first block that differs, or None."""
    blocks = [
        (firmware.address + offset, firmware.image[offset : offset + BLOCK_BYTES])
        for offset in range(0, len(firmware.image), BLOCK_BYTES)
    ]
    for address, data in blocks:
        rom.write(address, data)
        tick(len(data))
    for address, data in blocks:
        if rom.read(address, len(data)) != data:
            return address
        tick(len(data))
    return None


def _set_line(link: SerialLink, wiring: str, value: int) -> None:
    """`wiring` is dtr or rts, with ! before it where the line drives the pin inverted."""
    line = wiring.removeprefix("!")
    if line not in ("dtr", "rts"):
        raise BoardError(f"[flash] boot0 or reset = '{wiring}': must be dtr, rts, !dtr or !rts")
    link.set_line(line, bool(value) != wiring.startswith("!"))
