"""A device with mcuq's loader, written from docs/protocol.md: a slot in memory, and a toy model once it is booted."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from device_model import BAD_ADDRESS, OK, UNKNOWN_TYPE, WRONG_STATE, DeviceModel, frame

WRONG_IMAGE = 8
RESET, ERASE, WRITE, COMMIT, BOOT = 0x04, 0x20, 0x21, 0x22, 0x23
SLOT_BYTES = 4096


@dataclass
class LoaderDevice(DeviceModel):
    """`is_loading`: the loader runs, not the model."""

    is_loading: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.slot = bytearray(SLOT_BYTES)
        self.committed = b""
        self.erased_bytes = 0
        self._start: bytes = b""

    def reset(self, into_loader: bool = False) -> bytes:
        """A device starts a whole image unless it is told to stay."""
        self.is_loading = into_loader or not self.committed
        self.erased_bytes = 0
        self.power_on()
        return b"\0" + frame(0xFE, 0, bytes((self.is_loading,)))

    def _frame(self, received: bytes) -> bytes:
        answer = super()._frame(received)
        start, self._start = self._start, b""
        return answer + start

    def hello(self) -> bytes:
        if not self.is_loading:
            return super().hello()
        head = struct.pack("<BBHHBBI", 1, 1, self.payload_bytes, 0, 0, 0, 16_000_000)
        slot = (0x1000, SLOT_BYTES, 256, len(self.committed), zlib.crc32(self.committed), 0)
        return head + struct.pack("<5IH", *slot) + b"\5paper\0\0"

    def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
        if type_ == RESET:
            self._start = self.reset(into_loader=body == b"\1")
            return OK, b""
        if type_ < 0x10:
            return super().carry_out(type_, sequence, body)
        if not self.is_loading:
            return UNKNOWN_TYPE if type_ >= ERASE else super().carry_out(type_, sequence, body)[0], b""
        return self._load(type_, body), b""

    def _load(self, type_: int, body: bytes) -> int:
        if type_ == ERASE:
            self.erased_bytes, self.committed = struct.unpack("<I", body)[0], b""
            self.slot[:] = b"\xff" * SLOT_BYTES
            return OK
        if type_ == WRITE:
            offset, data = struct.unpack_from("<I", body)[0], body[4:]
            if not self.erased_bytes:
                return WRONG_STATE
            if offset % 4 or offset + len(data) > self.erased_bytes:
                return BAD_ADDRESS
            self.slot[offset : offset + len(data)] = data
            return OK
        if type_ == COMMIT:
            n_bytes, crc = struct.unpack("<II", body)
            if not self.committed and not self.erased_bytes:
                return WRONG_STATE
            if zlib.crc32(self.slot[:n_bytes]) != crc:
                return WRONG_IMAGE
            self.committed = bytes(self.slot[:n_bytes])
            return OK
        if type_ == BOOT:
            if not self.committed:
                return WRONG_IMAGE
            self._start = self.reset()
            return OK
        return UNKNOWN_TYPE
