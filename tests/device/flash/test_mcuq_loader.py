"""mcuq's own loader, as seen from the host: a model of it written from docs/protocol.md."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import pytest
from device.device_model import frame, uncobs
from device.flash.firmwares import firmware

from mcuq.boards.find import load_board
from mcuq.device.exchange import StatusError
from mcuq.device.flash import METHODS, flash_method
from mcuq.device.flash.mcuq_loader import McuqLoader
from mcuq.errors import BoardError, DeviceError

MODEL, LOADER = 0, 1
OK, UNKNOWN_TYPE, WRONG_STATE, WRONG_IMAGE = 0, 1, 6, 8
SLOT, SLOT_BYTES, PAGE_BYTES = 0x0010_0000, 65536, 1024


@dataclass
class LoaderModel:
    """A device with a loader and a slot in RAM; a link to itself. The first `bad_writes` writes are lost; before
    write number `reset_at_write` it is reset, and forgets what it has erased.
    """

    role: int = LOADER
    board: str = "mps2-an386"
    has_loader: bool = True
    bad_writes: int = 0
    reset_at_write: int | None = None
    is_erased: bool = False
    slot: bytearray = field(default_factory=lambda: bytearray(SLOT_BYTES - PAGE_BYTES))
    committed: int = 0
    erases: int = 0
    name: str = "model"
    baud: int = 115_200
    is_open: bool = True
    _in: bytes = b""
    _out: bytes = b""

    def write(self, data: bytes) -> None:
        self._in += data
        while b"\0" in self._in:
            encoded, _, self._in = self._in.partition(b"\0")
            raw = uncobs(encoded)
            if raw:
                status, body = self._answer(raw[0], raw[2:-4])
                self._out += frame(raw[0] | 0x80, raw[1], bytes((status,)) + body)
                if raw[0] in (0x04, 0x23) and status == OK:
                    self._out += frame(0xFE, 0, bytes((self.role,)))

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        found, self._out = self._out[:max_bytes], self._out[max_bytes:]
        return found

    def close(self) -> None:
        self.is_open = False

    def _answer(self, type_: int, body: bytes) -> tuple[int, bytes]:
        if type_ == 0x01:
            return OK, self._hello()
        if type_ == 0x04:
            self.role = LOADER if body[0] == 1 and self.has_loader else MODEL
            return OK, b""
        if self.role == MODEL:
            return UNKNOWN_TYPE, b""
        if type_ == 0x20:
            self.erases += 1
            self.is_erased = True
            self.committed = 0
            self.slot[:] = b"\xff" * len(self.slot)
        elif type_ == 0x21:
            (offset,) = struct.unpack_from("<I", body)
            if self.reset_at_write is not None:
                self.reset_at_write -= 1
                if self.reset_at_write < 0:
                    self.reset_at_write = None
                    self.is_erased = False
            if not self.is_erased:
                return WRONG_STATE, b""
            if self.bad_writes:
                self.bad_writes -= 1
                return OK, b""
            self.slot[offset : offset + len(body) - 4] = body[4:]
        elif type_ == 0x22:
            n_bytes, crc = struct.unpack("<II", body)
            if zlib.crc32(self.slot[:n_bytes]) != crc:
                return WRONG_IMAGE, b""
            self.committed = n_bytes
        elif type_ == 0x23:
            if not self.committed:
                return WRONG_IMAGE, b""
            self.role = MODEL
        return OK, b""

    def _hello(self) -> bytes:
        slot = (SLOT, SLOT_BYTES, PAGE_BYTES, self.committed, 0, 0) if self.role == LOADER else (1, 4, 4, 64, 512, 2)
        texts = b"".join(bytes((len(t),)) + t.encode() for t in (self.board, "", "test"))
        return struct.pack("<BBHHBBI5IH", 1, self.role, 256, 0, 0, 0, 25_000_000, *slot) + texts


def flash(device: LoaderModel, n_bytes: int = 5001, board: str = "mps2-an386") -> bytes:
    program = firmware(n_bytes, address=SLOT + PAGE_BYTES, board=board)
    McuqLoader({}, lambda port, baud: device).flash(program, "model")
    return program.image


@pytest.mark.parametrize("n_bytes", [1, 251, 252, 253, 5000, SLOT_BYTES - PAGE_BYTES])
def test_the_image_is_written_checked_and_started(n_bytes: int) -> None:
    device = LoaderModel()
    image = flash(device, n_bytes)
    assert bytes(device.slot[:n_bytes]) == image
    assert (device.committed, device.role, device.is_open) == (n_bytes, MODEL, False)


def test_a_running_model_makes_way() -> None:
    device = LoaderModel(role=MODEL)
    image = flash(device)
    assert bytes(device.slot[: len(image)]) == image


def test_an_image_that_differs_is_written_once_more() -> None:
    device = LoaderModel(bad_writes=2)
    image = flash(device)
    assert bytes(device.slot[: len(image)]) == image
    assert device.erases == 2


@pytest.mark.parametrize("write", [0, 1, 19])
def test_a_reset_in_the_middle_begins_the_image_anew(write: int) -> None:
    device = LoaderModel(reset_at_write=write)
    image = flash(device)
    assert bytes(device.slot[: len(image)]) == image
    assert (device.erases, device.role) == (2, MODEL)


def test_memory_that_never_holds_is_an_error_and_nothing_is_started() -> None:
    device = LoaderModel(bad_writes=10_000)
    with pytest.raises(StatusError) as error:
        flash(device)
    assert error.value.status == WRONG_IMAGE
    assert (device.erases, device.role, device.is_open) == (3, LOADER, False)


@pytest.mark.parametrize("role", [MODEL, LOADER])
def test_another_board_is_refused_and_goes_on_with_what_it_does(role: int) -> None:
    device = LoaderModel(role=role, board="microbit-v1")
    with pytest.raises(DeviceError) as error:
        flash(device)
    assert str(error.value) == (
        "model: the device is a microbit-v1, this firmware is for mps2-an386; compile for it: mcuq compile MODEL "
        "--board microbit-v1, or give the port of a mps2-an386"
    )
    assert (device.role, device.erases) == (role, 0)


def test_a_device_without_the_loader_is_refused() -> None:
    with pytest.raises(DeviceError) as error:
        flash(LoaderModel(role=MODEL, has_loader=False))
    assert str(error.value) == (
        "model: the device has no mcuq loader: after a reset it runs its model again; flash it by another method "
        "(mcuq flash --method ...)"
    )


def test_an_image_that_is_linked_elsewhere_is_refused() -> None:
    device = LoaderModel()
    with pytest.raises(DeviceError) as error:
        flash(device, SLOT_BYTES - PAGE_BYTES + 1)
    assert str(error.value) == (
        "model: the device's loader takes 64,512 bytes at 0x00100400, this firmware has 64,513 at 0x00100400; renew "
        "the loader: mcuq flash DIR --loader --method METHOD --port PORT"
    )
    assert device.erases == 0


def test_each_board_has_the_method_of_its_file() -> None:
    assert isinstance(flash_method(load_board("mps2-an386")), McuqLoader)
    assert type(flash_method(load_board("mps2-an386"), "pyocd")) is METHODS["pyocd"]


def test_a_board_without_a_method_says_what_to_add() -> None:
    with pytest.raises(BoardError) as error:
        flash_method(load_board("cortex-m4"))
    assert str(error.value) == (
        "board 'cortex-m4' says no way to flash it; add [flash] method to its file, or give --method: mcuq-loader, "
        "stm32-rom, esptool, uf2, pyocd, teensy, mcuboot"
    )


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(BoardError) as error:
        flash_method(load_board("mps2-an386"), "magic")
    assert str(error.value) == (
        "--method 'magic' is not known; use one of: mcuq-loader, stm32-rom, esptool, uf2, pyocd, teensy, mcuboot"
    )
