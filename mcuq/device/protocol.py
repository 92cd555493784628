"""Frames of docs/protocol.md: bytes in, bytes out; knows nothing of ports, time or what messages mean.

A frame on the wire is COBS(type, sequence, body, CRC-32) and a zero byte. COBS (Cheshire and Baker, "Consistent
Overhead Byte Stuffing", 1999) leaves no other zero, so a receiver finds the next frame whatever came before.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from mcuq.device.extra import import_extra

DELIMITER = b"\0"
HEAD_BYTES = 2  # type and sequence
CRC_BYTES = 4
LONGEST_BODY = 0xFFFF  # HELLO states the largest body in 16 bits


@dataclass(frozen=True)
class Frame:
    """What arrived whole."""

    type: int
    sequence: int
    body: bytes


@dataclass(frozen=True)
class Damage:
    """Bytes up to a delimiter that are no frame, and why."""

    reason: str
    length_bytes: int


def encode(type: int, sequence: int, body: bytes = b"") -> bytes:
    """The bytes on the wire of one frame. Raises DeviceError where the package cobs is not installed."""
    content = bytes((type, sequence)) + body
    crc = zlib.crc32(content).to_bytes(CRC_BYTES, "little")
    return bytes(import_extra("cobs.cobs").encode(content + crc)) + DELIMITER


def wire_bytes(body_bytes: int) -> int:
    """The most bytes that a frame with such a body takes: COBS adds one byte for each 254 begun."""
    content = HEAD_BYTES + body_bytes + CRC_BYTES
    return content + -(-content // 254) + len(DELIMITER)


LONGEST_FRAME = wire_bytes(LONGEST_BODY)


class Decoder:
    """Finds frames in a stream that arrives in parts of any length; keeps at most LONGEST_FRAME bytes."""

    def __init__(self) -> None:
        self._cobs = import_extra("cobs.cobs")
        self._partial = bytearray()
        self._dropped_bytes = 0

    @property
    def partial_bytes(self) -> int:
        """Bytes that have arrived since the last delimiter."""
        return len(self._partial) + self._dropped_bytes

    def feed(self, data: bytes) -> list[Frame | Damage]:
        """What the bytes complete, in order; empty frames are nothing."""
        *ended, rest = data.split(DELIMITER)
        found: list[Frame | Damage] = []
        for part in ended:
            self._keep(part)
            if self.partial_bytes:
                found.append(self._complete())
            self._partial.clear()
            self._dropped_bytes = 0
        self._keep(rest)
        return found

    def _keep(self, part: bytes) -> None:
        room = LONGEST_FRAME - len(self._partial)
        self._partial += part[:room]
        self._dropped_bytes += max(0, len(part) - room)

    def _complete(self) -> Frame | Damage:
        if self._dropped_bytes:
            return Damage("too long", self.partial_bytes)
        try:
            content: bytes = self._cobs.decode(bytes(self._partial))
        except self._cobs.DecodeError:
            return Damage("not COBS", self.partial_bytes)
        if len(content) < HEAD_BYTES + CRC_BYTES:
            return Damage("too short", self.partial_bytes)
        data, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
        if zlib.crc32(data).to_bytes(CRC_BYTES, "little") != crc:
            return Damage("wrong CRC", self.partial_bytes)
        return Frame(data[0], data[1], data[HEAD_BYTES:])
