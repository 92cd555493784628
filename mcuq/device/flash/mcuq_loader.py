"""mcuq's resident loader (firmware/loader/), over the board's serial port: docs/protocol.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.exchange import StatusError
from mcuq.device.flash.method import FlashMethod, Options, Progress, silent
from mcuq.device.link import Link, open_link
from mcuq.device.messages import DeviceInfo, Role, Status
from mcuq.device.session import Session
from mcuq.errors import DeviceError

WRITES = 3  # of the whole image: the memory may fail once, the device be reset in between
MENDABLE = (Status.WRONG_IMAGE, Status.WRONG_STATE)  # a word differs; a reset has made the loader forget the ERASE


class McuqLoader(FlashMethod):
    """ERASE, WRITE, COMMIT, BOOT; a model that runs is told to make way first."""

    port_is: ClassVar[str] = "a serial port, or a URL such as socket://host:port"
    is_serial: ClassVar[bool] = True

    def __init__(self, options: Options, opener: Callable[[str, int], Link] = open_link) -> None:
        super().__init__(options)
        self._open = opener

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write the image into the loader's slot, check it there and boot it."""
        assert firmware.board.uart is not None
        with Session(self._open(port, firmware.board.uart.baud)) as session:
            info = session.hello()
            _check_board(session, info, firmware)
            if info.role == Role.MODEL:
                info = session.reset(stay_in_loader=True)
            _check(session, info, firmware)
            for attempt in range(WRITES):
                tick = progress("flashing" if attempt == 0 else "flashing again", len(firmware.image))
                try:
                    session.erase(len(firmware.image))
                    session.write(firmware.image, tick)
                    session.commit(firmware.image)
                    break
                except StatusError as error:
                    if error.status not in MENDABLE or attempt + 1 == WRITES:
                        raise
            session.boot()


def _check_board(session: Session, info: DeviceInfo, firmware: Firmware) -> None:
    """Refuse a device that the image is not for, before its model is told to make way."""
    name, board = session.link.name, firmware.board
    if info.board != board.name:
        raise DeviceError(
            f"{name}: the device is a {info.board}, this firmware is for {board.name}; compile for it: "
            f"mcuq compile MODEL --board {info.board}, or give the port of a {board.name}"
        )


def _check(session: Session, info: DeviceInfo, firmware: Firmware) -> None:
    """Refuse a loader that does not take the image."""
    name = session.link.name
    if info.role != Role.LOADER:
        raise DeviceError(
            f"{name}: the device has no mcuq loader: after a reset it runs its model again; flash it by another "
            "method (mcuq flash --method ...)"
        )
    room = info.slot_bytes - info.page_bytes
    if info.slot_address + info.page_bytes != firmware.address or len(firmware.image) > room:
        raise DeviceError(
            f"{name}: the device's loader takes {room:,} bytes at {info.slot_address + info.page_bytes:#010x}, this "
            f"firmware has {len(firmware.image):,} at {firmware.address:#010x}; renew the loader: "
            "mcuq flash DIR --loader --method METHOD --port PORT"
        )
