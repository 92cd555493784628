"""Messages of docs/protocol.md: requests with their bodies, and what their answers say. All numbers little-endian."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar, Generic, TypeVar

from mcuq.errors import DeviceError

Answer = TypeVar("Answer")

PROTOCOL_VERSION = 1
LEAST_PAYLOAD_BYTES = 64
ANSWER = 0x80  # an answer has its request's type with this bit
DAMAGED = 0xFF  # the device received bytes that are no frame
STARTED = 0xFE  # the device has just started

OF_MODEL = 0x19  # a request about one of several models: its index, then the request's type and body
OF_MODEL_BYTES = 2

PAUSE = 1  # bit 0 of the flags of RUN and CONTINUE


class Status(IntEnum):
    """First byte of each answer."""

    OK = 0
    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    BAD_ADDRESS = 3
    WRONG_INPUT = 4
    NO_RESULT = 5
    WRONG_STATE = 6
    UNSUPPORTED = 7
    WRONG_IMAGE = 8
    FLASH_FAILED = 9
    SELF_TEST_FAILED = 10


MEANING = {
    Status.OK: "done",
    Status.UNKNOWN_TYPE: "the device does not know this request",
    Status.BAD_LENGTH: "the request has a wrong length",
    Status.BAD_ADDRESS: "the request reaches beyond what the device has",
    Status.WRONG_INPUT: "the device holds another input",
    Status.NO_RESULT: "the device has run nothing for this input",
    Status.WRONG_STATE: "the device is paused, or is not",
    Status.UNSUPPORTED: "the device cannot do this",
    Status.WRONG_IMAGE: "the image in the device's slot is damaged or missing",
    Status.FLASH_FAILED: "the flash memory did not take what was written",
    Status.SELF_TEST_FAILED: "the device's self-test failed",
}


class Role(IntEnum):
    """What runs on the device."""

    MODEL = 0
    LOADER = 1


class Ability(IntFlag):
    """Flags of HELLO."""

    KEEPS_INPUT = 1
    COUNTS_CYCLES = 2
    EMULATED = 4
    IS_PAUSED = 8
    TAKES_ROWS = 16
    TAKES_WEIGHTS = 32


class SelfTest(IntFlag):
    """Checks of SELF_TEST that failed."""

    CRC = 1
    COBS = 2
    ARITHMETIC = 4
    CYCLE_COUNTER = 8


class Request(ABC, Generic[Answer]):
    """A message to the device; `unpack` reads the body of its answer after the status."""

    type: ClassVar[int]

    @property
    def name(self) -> str:
        """As docs/protocol.md calls it."""
        words = [c if c.islower() else f"_{c}" for c in type(self).__name__]
        return "".join(words).strip("_").upper()

    def pack(self) -> bytes:
        """The body."""
        return b""

    @property
    def answer_bytes(self) -> int:
        """Bytes of the answer's body after the status, as far as the request tells: for time-outs only."""
        return 0

    @abstractmethod
    def unpack(self, body: bytes) -> Answer:
        """What the answer says. Raises DeviceError where the body has another form."""

    def _split(self, form: str, body: bytes) -> tuple[int, ...]:
        """The numbers of a body of exactly this form."""
        if struct.calcsize(form) != len(body):
            raise DeviceError(f"answer to {self.name} has {len(body)} bytes, not {struct.calcsize(form)}")
        return struct.unpack(form, body)


class Plain(Request[None]):
    """A request whose answer is its status alone."""

    def unpack(self, body: bytes) -> None:
        self._split("<", body)


@dataclass(frozen=True)
class DeviceInfo:
    """What HELLO tells of a device; sizes in bytes.

    `digest`, `input_bytes`, `output_bytes`, `arena_bytes`, `stack_bytes` and `layers` are the model's that it was asked
    about, the others from `slot_address` the loader's: each 0 in the other role. `models` is how many there are.
    """

    role: Role
    payload_bytes: int
    window_bytes: int
    abilities: Ability
    clock_hz: int
    digest: int
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    stack_bytes: int
    slot_address: int
    slot_bytes: int
    page_bytes: int
    image_bytes: int
    image_crc: int
    layers: int
    board: str
    model: str
    build: str
    models: int = 1


@dataclass(frozen=True)
class ProtocolVersion:
    """All that may be read of the HELLO of another version of the protocol."""

    version: int


@dataclass(frozen=True)
class Hello(Request[DeviceInfo | ProtocolVersion]):
    """Who is there?"""

    type = 0x01

    @property
    def answer_bytes(self) -> int:
        return 128

    def unpack(self, body: bytes) -> DeviceInfo | ProtocolVersion:
        if len(body) >= 4 and body[0] != PROTOCOL_VERSION:
            return ProtocolVersion(body[0])
        fixed = struct.Struct("<BBHHBBI5IH")
        if len(body) < fixed.size:
            raise DeviceError(f"answer to HELLO has {len(body)} bytes, at least {fixed.size} were expected")
        _, role, payload, window, flags, more, clock_hz, *numbers, layers = fixed.unpack_from(body)
        if role not in tuple(Role):
            raise DeviceError(f"answer to HELLO states role {role}, known are 0 (model) and 1 (loader)")
        if payload < LEAST_PAYLOAD_BYTES:
            raise DeviceError(
                f"answer to HELLO states frames of {payload} bytes, at least {LEAST_PAYLOAD_BYTES} are due"
            )
        model = numbers if role == Role.MODEL else [0] * 5
        loader = numbers if role == Role.LOADER else [0] * 5
        board, name, build = _texts(body[fixed.size :])
        return DeviceInfo(
            role=Role(role),
            payload_bytes=payload,
            window_bytes=window,
            abilities=Ability(flags),
            clock_hz=clock_hz,
            digest=model[0],
            input_bytes=model[1],
            output_bytes=model[2],
            arena_bytes=model[3],
            stack_bytes=model[4],
            slot_address=loader[0],
            slot_bytes=loader[1],
            page_bytes=loader[2],
            image_bytes=loader[3],
            image_crc=loader[4],
            layers=layers,
            board=board,
            model=name,
            build=build,
            models=1 + more,
        )


def _texts(data: bytes) -> tuple[str, str, str]:
    """Board, model and build, each behind a byte that states its length."""
    found = []
    for what in ("board", "model", "build"):
        if not data or len(data) < 1 + data[0]:
            raise DeviceError(f"answer to HELLO ends within the {what}'s name")
        found.append(data[1 : 1 + data[0]].decode("utf-8", "replace"))
        data = data[1 + data[0] :]
    board, model, build = found
    return board, model, build


@dataclass(frozen=True)
class Echo(Request[bytes]):
    """The same bytes back."""

    data: bytes
    type = 0x02

    def pack(self) -> bytes:
        return self.data

    @property
    def answer_bytes(self) -> int:
        return len(self.data)

    def unpack(self, body: bytes) -> bytes:
        if body != self.data:
            raise DeviceError(f"answer to ECHO has other bytes than the request: {body.hex()}")
        return body


@dataclass(frozen=True)
class RunSelfTest(Request[SelfTest]):
    """Failed checks; none is good."""

    type = 0x03

    @property
    def name(self) -> str:
        return "SELF_TEST"

    def unpack(self, body: bytes) -> SelfTest:
        return SelfTest(self._split("<I", body)[0])


@dataclass(frozen=True)
class Reset(Plain):
    """Start again, as at power-on or staying in the loader."""

    stay_in_loader: bool = False
    type = 0x04

    def pack(self) -> bytes:
        return struct.pack("<B", self.stay_in_loader)


@dataclass(frozen=True)
class Inferred:
    """Cycles of one inference and all output bytes, outputs in order."""

    cycles: int
    outputs: bytes


@dataclass(frozen=True)
class Infer(Request[Inferred]):
    """Run a whole input that fits one frame; stateless, so any order of repeats is right."""

    inputs: bytes
    output_bytes: int
    type = 0x10

    def pack(self) -> bytes:
        return self.inputs

    @property
    def answer_bytes(self) -> int:
        return 4 + self.output_bytes

    def unpack(self, body: bytes) -> Inferred:
        (cycles, outputs) = struct.unpack(f"<I{self.output_bytes}s", self._checked(body))
        return Inferred(cycles, outputs)

    def _checked(self, body: bytes) -> bytes:
        self._split(f"<{self.answer_bytes}s", body)
        return body


@dataclass(frozen=True)
class WriteInput(Plain):
    """A part of the input."""

    offset: int
    data: bytes
    type = 0x11

    def pack(self) -> bytes:
        return struct.pack("<I", self.offset) + self.data


@dataclass(frozen=True)
class Ran:
    """Whether the model stands between two layers, and the cycles of the last run where it does not."""

    is_paused: bool
    cycles: int


class _Runs(Request[Ran]):
    @property
    def answer_bytes(self) -> int:
        return 5

    def unpack(self, body: bytes) -> Ran:
        state, cycles = self._split("<BI", body)
        return Ran(state == 1, cycles)


@dataclass(frozen=True)
class Run(_Runs):
    """Run what was written `count` times, if its CRC-32 is `input_crc`; pause after layer `pause_after`."""

    input_crc: int
    count: int = 1
    pause_after: int | None = None
    type = 0x12

    def pack(self) -> bytes:
        return struct.pack("<HBHI", self.count, *_pause(self.pause_after), self.input_crc)


@dataclass(frozen=True)
class Continue(_Runs):
    """Go on from a pause, to the end or to the next one."""

    pause_after: int | None = None
    type = 0x15

    def pack(self) -> bytes:
        return struct.pack("<BH", *_pause(self.pause_after))


def _pause(layer: int | None) -> tuple[int, int]:
    return (0, 0) if layer is None else (PAUSE, layer)


class _Reads(Request[bytes]):
    n_bytes: int

    @property
    def answer_bytes(self) -> int:
        return self.n_bytes

    def unpack(self, body: bytes) -> bytes:
        self._split(f"<{self.n_bytes}s", body)
        return body


@dataclass(frozen=True)
class ReadOutput(_Reads):
    """A part of the outputs of the run of the input with this CRC-32."""

    input_crc: int
    offset: int
    n_bytes: int
    type = 0x13

    def pack(self) -> bytes:
        return struct.pack("<IIH", self.input_crc, self.offset, self.n_bytes)


@dataclass(frozen=True)
class ReadArena(_Reads):
    """A part of the arena, where layers' outputs lie while the model is paused."""

    offset: int
    n_bytes: int
    type = 0x14

    def pack(self) -> bytes:
        return struct.pack("<IH", self.offset, self.n_bytes)


@dataclass(frozen=True)
class LayerCycles(Request[tuple[int, ...]]):
    """Cycles of layers from `first` on, of the last complete run."""

    first: int
    n_layers: int
    type = 0x16

    def pack(self) -> bytes:
        return struct.pack("<HH", self.first, self.n_layers)

    @property
    def answer_bytes(self) -> int:
        return 4 * self.n_layers

    def unpack(self, body: bytes) -> tuple[int, ...]:
        return self._split(f"<{self.n_layers}I", body)


class Paint(IntEnum):
    """What MARKS does to the arena."""

    NOTHING = 0
    A5 = 1
    INVERSE = 2  # 0x5A: a byte that equals one paint differs from the other


@dataclass(frozen=True)
class HighWater:
    """Most stack of any run since the start, and the arena up to the last byte that differs from its paint."""

    stack_bytes: int
    arena_bytes: int


@dataclass(frozen=True)
class Marks(Request[HighWater]):
    """High-water marks; or paint the arena first."""

    paint: Paint = Paint.NOTHING
    type = 0x17

    def pack(self) -> bytes:
        return struct.pack("<B", self.paint)

    def unpack(self, body: bytes) -> HighWater:
        return HighWater(*self._split("<II", body))


@dataclass(frozen=True)
class Constants:
    """CRC-32 over all constant arrays of the model in the order of its C file, and their bytes."""

    crc: int
    n_bytes: int


@dataclass(frozen=True)
class Checksum(Request[Constants]):
    """Are the weights what they should be?"""

    type = 0x18

    def unpack(self, body: bytes) -> Constants:
        return Constants(*self._split("<II", body))


@dataclass(frozen=True)
class Erase(Plain):
    """Make the slot's image invalid, then erase as much as the new one takes."""

    image_bytes: int
    type = 0x20

    def pack(self) -> bytes:
        return struct.pack("<I", self.image_bytes)


@dataclass(frozen=True)
class Write(Plain):
    """A part of the image."""

    offset: int
    data: bytes
    type = 0x21

    def pack(self) -> bytes:
        return struct.pack("<I", self.offset) + self.data


@dataclass(frozen=True)
class Commit(Plain):
    """Make the image valid if what was written has this CRC-32."""

    image_bytes: int
    image_crc: int
    type = 0x22

    def pack(self) -> bytes:
        return struct.pack("<II", self.image_bytes, self.image_crc)


@dataclass(frozen=True)
class EraseWeights(Plain):
    """Make room for a blob that begins so; refused, before anything is erased, where the program cannot use it."""

    head: bytes
    type = 0x1A

    def pack(self) -> bytes:
        return self.head


@dataclass(frozen=True)
class WriteWeights(Write):
    """A part of the blob."""

    type = 0x1B


@dataclass(frozen=True)
class UseWeights(Commit):
    """Use the blob from now on if it is whole."""

    type = 0x1C


@dataclass(frozen=True)
class Boot(Plain):
    """Jump into the image."""

    type = 0x23
