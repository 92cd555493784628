"""Boards that run MCUboot with an SMP server: imgtool makes the image, smpclient uploads it (both Apache-2.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.extra import import_extra
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.errors import DeviceError
from mcuq.system.tool import program, run_program
from mcuq.system.work_folder import work_folder

MOST_S = 60.0
ANSWER_S = 5.0
ERASE_S = 40.0  # a slot of a megabyte, erased before the first block is taken
HEADER_BYTES = 512


class McuBoot(FlashMethod):
    """Writes the primary slot through MCUboot's serial recovery.

    The program is linked behind the image header: [memory] flash_address of the board file is the slot's address plus
    `header_bytes`. `key` is the file of the signing key, where MCUboot was built with one.
    """

    port_is: ClassVar[str] = "a serial port"
    is_serial: ClassVar[bool] = True

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Sign, upload, and reset the device, whose MCUboot then checks the image and starts it."""
        image = self._signed(firmware)
        tick = progress("flashing", len(image))
        assert firmware.board.uart is not None
        asyncio.run(_upload(image, port, firmware.board.uart.baud, tick))

    def _signed(self, firmware: Firmware) -> bytes:
        assert firmware.board.memory is not None
        header_bytes = int(self.options.get("header_bytes", HEADER_BYTES))
        slot_bytes = firmware.board.memory.flash_bytes + header_bytes
        tool = program("imgtool.main", "imgtool", "imgtool")
        with work_folder() as folder:
            plain, signed = folder / "firmware.bin", folder / "signed.bin"
            plain.write_bytes(firmware.image)
            key = ["--key", self.text("key")] if "key" in self.options else []
            sizes = ["--header-size", str(header_bytes), "--slot-size", str(slot_bytes), "--align", "4"]
            given = ["--version", "0.0.0", "--pad-header", *sizes, *key, str(plain), str(signed)]
            run_program([*tool, "sign", *given], "imgtool", MOST_S)
            return signed.read_bytes()


async def _upload(image: bytes, port: str, baud: int, tick: Callable[[int], None]) -> None:
    client = import_extra("smpclient")
    transport = import_extra("smpclient.transport.serial").SMPSerialTransport(baudrate=baud, exclusive=True)
    reset = import_extra("smpclient.requests.os_management").ResetWrite()
    done = 0
    try:
        async with client.SMPClient(transport, port, timeout_s=ANSWER_S) as session:
            async for offset in session.upload(image, first_timeout_s=ERASE_S, subsequent_timeout_s=ANSWER_S):
                tick(offset - done)
                done = offset
            await session.request(reset)
    except (OSError, TimeoutError, _smp_error()) as error:
        said = str(error) or type(error).__name__
        raise DeviceError(
            f"{port}: MCUboot's SMP server took {done:,} of {len(image):,} bytes, then: {said}; is the board in serial "
            "recovery, and this its port?"
        ) from error


def _smp_error() -> Any:
    return import_extra("smpclient.exceptions").SMPClientException
