"""The loader in an STM32's ROM as AN3155 describes it, answering on a pseudo-terminal.

It is a state machine that waits for each byte without end, as the ROM does, so that a lost byte leaves it in the
middle of a command. Faults: NACKs on demand, slow erases, bytes lost on their way to it, read protection.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from types import TracebackType

ACK, NACK = b"\x79", b"\x1f"
CHIP_ID = 0x0413  # STM32F40x, AN2606
SECTORS = (16384,) * 4 + (65536,) + (131072,) * 7
FLASH = 0x0800_0000


@dataclass
class Faults:
    """What goes wrong: commands refused (by code, how often), bytes lost (by count of bytes received), and so on."""

    refused: dict[int, int] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    erase_s: float = 0.0
    is_protected: bool = False
    stuck_address: int | None = None


class Stm32Model:
    """A thread at the other end of `port`; `memory` is its flash, `went` where GO has sent it."""

    def __init__(self, faults: Faults | None = None, extended: bool = True) -> None:
        self.faults = faults or Faults()
        self.extended = extended
        self.memory = bytearray(b"\x55" * sum(SECTORS))
        self.erased: list[int] = []
        self.went: int | None = None
        self.received = 0
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Stm32Model:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def _received_bytes(self) -> bytes:
        """What the host has sent; b"" once the model is switched off."""
        while not self._stop.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                return os.read(self._master, 4096)
        return b""

    def _serve(self) -> None:
        rom = self._rom()
        next(rom)
        try:
            while data := self._received_bytes():
                for byte in data:
                    self.received += 1
                    if self.received not in self.faults.lost:
                        rom.send(byte)
        except OSError:
            return

    def _say(self, data: bytes) -> None:
        os.write(self._master, data)

    def _rom(self) -> Iterator[None]:
        """A coroutine: `yield` takes the next byte."""
        while (yield) != 0x7F:  # type: ignore[misc]
            pass
        self._say(ACK)
        while True:
            code = yield
            complement = yield
            is_command = code ^ complement == 0xFF and code in self._commands()
            if not is_command or self._refuses(code):
                self._say(NACK)
                continue
            if self.faults.is_protected and code in (0x11, 0x21, 0x31):
                self._say(NACK)
                continue
            self._say(ACK)
            yield from self._command(code)

    def _commands(self) -> tuple[int, ...]:
        return (0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44 if self.extended else 0x43)

    def _refuses(self, code: int) -> bool:
        left = self.faults.refused.get(code, 0)
        self.faults.refused[code] = left - 1
        return left > 0

    def _command(self, code: int) -> Iterator[None]:
        if code == 0x00:
            commands = self._commands()
            self._say(bytes((len(commands), 0x31, *commands)) + ACK)
        elif code == 0x02:
            self._say(b"\x01" + struct.pack(">H", CHIP_ID) + ACK)
        elif code == 0x43:
            yield from self._erase(1)
        elif code == 0x44:
            yield from self._erase(2)
        else:
            yield from self._with_address(code)

    def _bytes(self, count: int) -> Iterator[None]:
        """As many bytes; the generator's value is what they were."""
        found = bytearray()
        while len(found) < count:
            found.append((yield))
        return bytes(found)  # type: ignore[return-value]

    def _erase(self, width: int) -> Iterator[None]:
        count = yield from self._bytes(width)
        if count == b"\xff" * width:  # all of it
            checksum = yield
            if checksum == 0x00:
                self.memory[:] = b"\xff" * len(self.memory)
            self._say(ACK if checksum == 0x00 else NACK)
            return
        numbers = yield from self._bytes(width * (int.from_bytes(count, "big") + 1))
        checksum = yield
        if reduce(xor, count + numbers) != checksum:
            self._say(NACK)
            return
        time.sleep(self.faults.erase_s)
        for i in range(0, len(numbers), width):
            number = int.from_bytes(numbers[i : i + width], "big")
            start = sum(SECTORS[:number])
            self.memory[start : start + SECTORS[number]] = b"\xff" * SECTORS[number]
            self.erased.append(number)
        self._say(ACK)

    def _with_address(self, code: int) -> Iterator[None]:
        raw = yield from self._bytes(5)
        address = int.from_bytes(raw[:4], "big")
        if reduce(xor, raw) or not FLASH <= address < FLASH + len(self.memory):
            self._say(NACK)
            return
        at = address - FLASH
        if code == 0x21:
            self.went = address
        self._say(ACK)
        if code == 0x11:
            raw = yield from self._bytes(2)
            if raw[0] ^ raw[1] != 0xFF:
                self._say(NACK)
                return
            self._say(ACK + bytes(self.memory[at : at + raw[0] + 1]))
        elif code == 0x31:
            count = yield
            data = yield from self._bytes(count + 1)
            checksum = yield
            if reduce(xor, data, count) != checksum:
                self._say(NACK)
                return
            for i, byte in enumerate(data):
                if address + i != self.faults.stuck_address:
                    self.memory[at + i] &= byte
            self._say(ACK)
