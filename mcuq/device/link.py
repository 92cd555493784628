"""Opens ports; all else sees a Link. Ports are what pyserial knows: device names and URLs such as socket://host:port."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from mcuq.device.extra import import_extra
from mcuq.errors import DeviceError, did_you_mean

DEFAULT_BAUD = 115_200
WRITE_TIMEOUT_S = 10.0
# How long a read sleeps at most before it looks at the clock again.
_SLICE_S = 0.05
_MISSING = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR)
_DENIED = (errno.EACCES, errno.EPERM)
_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)


class Link(Protocol):
    """Bytes to a device and back."""

    @property
    def name(self) -> str:
        """The port as the user wrote it, for errors."""

    @property
    def baud(self) -> int:
        """Bits a second, of which a byte takes ten."""

    def write(self, data: bytes) -> None:
        """Send all of it. Raises DeviceError where the device is gone or takes nothing."""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """What has arrived, at once; waits for the first byte at most `timeout_s`, then returns b""."""

    def close(self) -> None:
        """Give the port back; closing twice is fine."""


@dataclass(frozen=True)
class PortInfo:
    """A serial port of this computer; USB numbers are None where it has none."""

    name: str
    description: str
    usb_vendor_id: int | None
    usb_product_id: int | None


def ports() -> tuple[PortInfo, ...]:
    """The serial ports of this computer, by name. Raises DeviceError where pyserial is not installed."""
    found = import_extra("serial.tools.list_ports").comports()
    return tuple(PortInfo(p.device, p.description or "", p.vid, p.pid) for p in sorted(found, key=lambda p: p.device))


def open_link(port: str, baud: int = DEFAULT_BAUD, parity: str = "N") -> SerialLink:
    """Open a port, or a URL that pyserial knows, for this process alone: 8 data bits, one stop bit.

    `parity` is N (none), E (even) or O (odd).

    Raises DeviceError where it is missing, busy, not permitted or not a serial port.
    """
    serial = import_extra("serial")
    # pyserial's rfc2217 refuses a time-out for writing; its socket has one of its own.
    write_timeout_s = None if port.startswith("rfc2217://") else WRITE_TIMEOUT_S
    try:
        opened = serial.serial_for_url(
            port, baudrate=baud, parity=parity, timeout=_SLICE_S, write_timeout=write_timeout_s, exclusive=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise DeviceError(_why_not_opened(port, baud, error)) from error
    return SerialLink(opened, port, baud)


class SerialLink:
    """A port that pyserial opened; a context manager, so that Ctrl-C leaves the port usable."""

    def __init__(self, serial: Any, name: str, baud: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.baud = baud
        self._serial = serial
        self._clock = clock

    def __enter__(self) -> SerialLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        with self._told_apart():
            self._serial.write(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        end_s = self._clock() + timeout_s
        with self._told_apart():
            self._serial.timeout = min(timeout_s, _SLICE_S)
            while True:
                found = bytes(self._serial.read(1))
                if found:
                    break
                if self._clock() >= end_s:
                    return b""
            while len(found) < max_bytes and (waiting := self._serial.in_waiting):
                found += self._serial.read(min(waiting, max_bytes - len(found)))
        return found

    def set_line(self, line: str, is_active: bool) -> None:
        """Drive the modem line dtr or rts. Raises DeviceError where the port has none, as a pseudo-terminal."""
        with self._told_apart():
            setattr(self._serial, line, is_active)

    def close(self) -> None:
        try:
            self._serial.close()
        except OSError:
            return  # an unplugged port closes with an error, and is closed

    @contextmanager
    def _told_apart(self) -> Iterator[None]:
        """Errors of the operating system and of pyserial as ones that say what to do."""
        try:
            yield
        except import_extra("serial").SerialTimeoutException as error:
            raise DeviceError(
                f"{self.name}: the port took no more bytes for {WRITE_TIMEOUT_S:g} s; unplug the board, plug it in "
                "again, and retry"
            ) from error
        except OSError as error:
            raise DeviceError(
                f"{self.name}: the device is gone in the middle of the work ({_said(error)}): unplugged, or without "
                "power; plug it in and run the command again"
            ) from error


def _why_not_opened(port: str, baud: int, error: OSError | ValueError | KeyError) -> str:
    number = getattr(error, "errno", None)
    said = _said(error)
    if "://" in port:
        return (
            f"{port}: cannot be opened: {said}; is the server running there? "
            "Forms: socket://HOST:PORT, rfc2217://HOST:PORT"
        )
    if number in _MISSING or "FileNotFoundError" in said:
        return f"{port}: there is no such port; {_existing(port)}"
    # Windows says "access denied" of a port that another program has open.
    if number in _BUSY or (sys.platform == "win32" and "PermissionError" in said):
        return f"{port}: is busy: another program has it open; close that (a serial monitor, another mcuq) and retry"
    if number in _DENIED:
        return f"{port}: you may not open it: {_how_to_be_permitted(port)}"
    if isinstance(error, ValueError):
        return f"{port}: cannot be opened at {baud} baud: {said}; use a rate that it has, such as {DEFAULT_BAUD}"
    return f"{port}: cannot be opened as a serial port: {said}; {_existing(port)}"


def _existing(port: str) -> str:
    names = [found.name for found in ports()]
    if not names:
        return "this computer has no serial port: is the board plugged in, with a cable that carries data?"
    return f"there are: {', '.join(names)}{did_you_mean(port, names)}"


def _how_to_be_permitted(port: str) -> str:
    if not sys.platform.startswith("linux"):
        return "give your user the right to read and write it"
    import grp

    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name  # noqa: PTH116
    except (OSError, KeyError):
        group = "dialout"
    # On a port that belongs to root's group a udev rule has failed; dialout is where Debian and Fedora put ports.
    group = "dialout" if group == "root" else group
    return f"it belongs to the group '{group}'; sudo usermod -aG {group} $USER, then log out and in again"


def _said(error: Exception) -> str:
    """The operating system's words where there are some, else pyserial's."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
