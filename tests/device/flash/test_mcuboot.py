"""MCUboot: imgtool's image, uploaded by smpclient to an SMP server on a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import struct
import threading
import tty
from dataclasses import replace
from types import TracebackType

import pytest
from device.flash.firmwares import firmware
from smp import packet
from smp.header import Header
from smp.image_management import ImageUploadWriteRequest, ImageUploadWriteResponse
from smp.os_management import ResetWriteRequest, ResetWriteResponse

from mcuq.device.flash.mcuboot import McuBoot
from mcuq.errors import DeviceError

IMAGE_MAGIC = 0x96F3B83D  # MCUboot, docs/design.md, "Image format"


class SmpServer:
    """Takes an image in the order of its offsets and a reset; `falls_silent_at` bytes it stops answering."""

    def __init__(self, falls_silent_at: int | None = None) -> None:
        self.image = b""
        self.was_reset = False
        self._silent_at = falls_silent_at
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> SmpServer:
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
        decoder, line = None, b""
        try:
            while data := self._received_bytes():
                for byte in data:
                    line += bytes((byte,))
                    if byte != 0x0A:
                        continue
                    if decoder is None:
                        decoder = packet.decode()
                        next(decoder)
                    try:
                        decoder.send(line)
                    except StopIteration as whole:
                        decoder = None
                        self._answer(bytes(whole.value))
                    line = b""
        except OSError:
            return

    def _answer(self, frame: bytes) -> None:
        header = Header.loads(frame[: Header.SIZE])
        if header.group_id == 1 and header.command_id == 1:
            request = ImageUploadWriteRequest.loads(frame)
            if self._silent_at is not None and request.off >= self._silent_at:
                return
            if request.off == len(self.image):
                self.image += request.data
            answer: object = ImageUploadWriteResponse(off=len(self.image), **_of(header))
        elif header.group_id == 0 and header.command_id == 5:
            ResetWriteRequest.loads(frame)
            self.was_reset = True
            answer = ResetWriteResponse(**_of(header))
        else:
            # What a server without the command says (SMP, "rc": 8, not supported).
            body = b"\xa1\x62rc\x08"
            op = int(header.op) + 1
            raw = struct.pack("!BBHHBB", op, 0, len(body), header.group_id, header.sequence, header.command_id) + body
            os.write(self._master, b"".join(packet.encode(raw)))
            return
        os.write(self._master, b"".join(packet.encode(bytes(answer.BYTES))))  # type: ignore[attr-defined]


def _of(header: Header) -> dict[str, object]:
    return {"sequence": header.sequence, "version": header.version}


def program(n_bytes: int):  # type: ignore[no-untyped-def]
    return replace(firmware(n_bytes), address=0x0C200)


def test_the_signed_image_is_uploaded_and_the_device_reset() -> None:
    code = program(5000)
    with SmpServer() as server:
        done: list[int] = []
        McuBoot({"header_bytes": 512}).flash(code, server.port, lambda task, total: done.append)
        magic, _, header_bytes, _, image_bytes = struct.unpack_from("<IIHHI", server.image)
        assert (magic, header_bytes, image_bytes) == (IMAGE_MAGIC, 512, 5000)
        assert server.image[512:5512] == code.image
        assert sum(done) == len(server.image)
        assert server.was_reset


def test_a_server_that_falls_silent_is_told_with_how_far_it_came() -> None:
    with SmpServer(falls_silent_at=1) as server:
        with pytest.raises(DeviceError) as error:
            McuBoot({}).flash(program(5000), server.port)
        assert not server.was_reset
    text = str(error.value)
    assert text.startswith(f"{server.port}: MCUboot's SMP server took ")
    assert text.endswith("is the board in serial recovery, and this its port?")
