"""The protocol of the loader in STM32's ROM over a UART: ST's application note AN3155.

Each part of a command is answered by ACK or NACK. The ROM waits without end for bytes that were lost on the way, so
after a fault `Stm32Rom` sends fillers until the ROM has refused what it was in the middle of, and begins anew.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from functools import reduce
from operator import xor
from typing import TypeVar

from mcuq.device.link import Link
from mcuq.errors import DeviceError

T = TypeVar("T")

SYNC, ACK, NACK = 0x7F, 0x79, 0x1F
GET, GET_ID, READ, GO, WRITE, ERASE, EXTENDED_ERASE = 0x00, 0x02, 0x11, 0x21, 0x31, 0x43, 0x44
BLOCK_BYTES = 256

ATTEMPTS = 4
ANSWER_S = 1.0
SECTOR_S = 5.0  # 128 KB: 4 s at most on STM32F4 (its datasheets, "Flash memory programming", x8 parallelism)
SYNCS = 5

# Even and not 0, so that a WRITE that takes it for a length gets an odd number of fillers, whose checksum is wrong.
FILLER = 0x5A
# An ERASE takes 0xff (0xffff) for "all of it", whose checksum is 0x00: wrong again, and no count to wait for.
ERASE_FILLER = 0xFF
MOST_FILLERS = 2 * 256 + 4
QUIET = 20  # this part of the time for an answer without a byte


class _Refused(Exception):
    """NACK."""


class _Silent(Exception):
    """Nothing, or noise, in place of ACK."""


class Stm32Rom:
    """A conversation with the ROM loader; the link has 8 data bits and even parity (AN3155, section 1)."""

    def __init__(
        self,
        link: Link,
        clock: Callable[[], float] = time.monotonic,
        answer_s: float = ANSWER_S,
        sector_s: float = SECTOR_S,
    ) -> None:
        self._link = link
        self._sector_s = sector_s
        self._clock = clock
        self._answer_s = answer_s
        self.commands: tuple[int, ...] = ()
        self.version = 0
        self.chip_id = 0

    def connect(self) -> None:
        """Let the ROM measure the baud rate, and ask what it is. Raises DeviceError where nothing answers."""
        for _ in range(SYNCS):
            self._link.write(bytes((SYNC,)))
            # A ROM that knows the rate already takes 0x7f for the first half of a command, the next for a wrong second.
            if self._take(self._answer_s) in (ACK, NACK):
                break
        else:
            raise DeviceError(
                f"{self._link.name}: no STM32 ROM loader answers; set BOOT0 high, press reset and run this again "
                "(ST's AN2606 says which pins the chip's ROM listens on)"
            )
        self.version, *commands = self._repeat(self._get, "GET")
        self.commands = tuple(commands)
        self.chip_id = self._repeat(self._get_id, "GET ID")

    def erase(self, sectors: Sequence[int]) -> None:
        """Erase sectors by number. Raises DeviceError where the ROM refuses, as a read-protected chip does."""
        extended = EXTENDED_ERASE in self.commands

        def command() -> None:
            self._command(EXTENDED_ERASE if extended else ERASE)
            if extended:
                body = struct.pack(f">{len(sectors) + 1}H", len(sectors) - 1, *sectors)
            else:
                body = bytes((len(sectors) - 1, *sectors))
            self._send(body, self._answer_s + self._sector_s * len(sectors))

        self._repeat(command, "ERASE", ERASE_FILLER)

    def write(self, address: int, data: bytes) -> None:
        """Write up to 256 bytes of erased flash; filled up to whole words with 0xff."""
        padded = data + b"\xff" * (-len(data) % 4)

        def command() -> None:
            self._command(WRITE)
            self._send(struct.pack(">I", address))
            self._send(bytes((len(padded) - 1, *padded)))

        self._repeat(command, f"WRITE at {address:#010x}")

    def read(self, address: int, n_bytes: int) -> bytes:
        """Up to 256 bytes of memory."""

        def command() -> bytes:
            self._command(READ)
            self._send(struct.pack(">I", address))
            self._complemented(n_bytes - 1)
            return self._read_exactly(n_bytes)

        return self._repeat(command, f"READ at {address:#010x}")

    def go(self, address: int) -> None:
        """Start the program whose vector table is at `address`."""

        def command() -> None:
            self._command(GO)
            self._send(struct.pack(">I", address))

        self._repeat(command, f"GO to {address:#010x}")

    def _get(self) -> bytes:
        self._command(GET)
        n_bytes = self._read_exactly(1)[0] + 1
        found = self._read_exactly(n_bytes)
        self._expect_ack(self._answer_s)
        return found

    def _get_id(self) -> int:
        self._command(GET_ID)
        n_bytes = self._read_exactly(1)[0] + 1
        found = self._read_exactly(n_bytes)
        self._expect_ack(self._answer_s)
        return int.from_bytes(found, "big")

    def _repeat(self, command: Callable[[], T], what: str, filler: int = FILLER) -> T:
        """Run a command until it succeeds; each is safe to do twice."""
        refusals = 0
        for _ in range(ATTEMPTS):
            try:
                return command()
            except _Refused:
                refusals += 1
            except _Silent:
                pass
            # Also after NACK: the length may be what was lost, and the rest of the data still on its way.
            self._resynchronize(filler)
        name = self._link.name
        if refusals == ATTEMPTS:
            raise DeviceError(
                f"{name}: the STM32 ROM loader refuses {what} {refusals} times; is the chip read- or write-protected? "
                "Remove the protection with ST's STM32CubeProgrammer, which erases the chip"
            )
        raise DeviceError(
            f"{name}: the STM32 ROM loader does not answer {what} in {ATTEMPTS} attempts; check the cable, "
            "press reset with BOOT0 high and run this again"
        )

    def _resynchronize(self, filler: int) -> None:
        """End what the ROM is in the middle of: it refuses at the latest where the checksum is due."""
        self._drain()
        for _ in range(MOST_FILLERS):
            self._link.write(bytes((filler,)))
            if self._take(self._answer_s / QUIET) == NACK:
                self._drain()
                return

    def _drain(self) -> None:
        """Drop what comes until the line is quiet; a line that never is brings something else than a ROM's answers."""
        deadline_s = self._clock() + self._answer_s
        while self._take(self._answer_s / QUIET) is not None and self._clock() < deadline_s:
            pass

    def _command(self, code: int) -> None:
        self._complemented(code)

    def _complemented(self, value: int) -> None:
        self._link.write(bytes((value, value ^ 0xFF)))
        self._expect_ack(self._answer_s)

    def _send(self, body: bytes, answer_s: float | None = None) -> None:
        self._link.write(body + bytes((reduce(xor, body, 0),)))
        self._expect_ack(self._answer_s if answer_s is None else answer_s)

    def _expect_ack(self, timeout_s: float) -> None:
        found = self._take(timeout_s)
        if found == NACK:
            raise _Refused
        if found != ACK:
            raise _Silent

    def _take(self, timeout_s: float) -> int | None:
        found = self._link.read(1, timeout_s)
        return found[0] if found else None

    def _read_exactly(self, n_bytes: int) -> bytes:
        found = b""
        deadline_s = self._clock() + self._answer_s
        while len(found) < n_bytes:
            part = self._link.read(n_bytes - len(found), max(0.0, deadline_s - self._clock()))
            if not part:
                raise _Silent
            found += part
        return found
