"""A device in Python, written from docs/protocol.md alone, and a link to it on which faults are put.

It shares no code with mcuq.device: what both sides understand is the document.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import tty
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

OK, UNKNOWN_TYPE, BAD_LENGTH, BAD_ADDRESS, WRONG_INPUT, NO_RESULT, WRONG_STATE, UNSUPPORTED = range(8)
KEEPS_INPUT, COUNTS_CYCLES, EMULATED, IS_PAUSED = 1, 2, 4, 8
HELLO, INFER, WRITE_INPUT, RUN, READ_OUTPUT, READ_ARENA, CONTINUE = 0x01, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
OF_MODEL = 0x19
CYCLES_OF_LAYER = 1000


def cobs(data: bytes) -> bytes:
    """Each block: its length + 1, then up to 254 bytes that are not 0; a block shorter than 254 stands for a 0 too."""
    out = bytearray()
    for part in data.split(b"\0"):
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def uncobs(data: bytes) -> bytes | None:
    """What was encoded, or None where nothing gives these bytes."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if len(block) != code - 1:
            return None
        out += block
        at += code
        if code != 255 and at < len(data):
            out.append(0)
    return bytes(out)


def frame(type_: int, sequence: int, body: bytes) -> bytes:
    content = bytes((type_, sequence)) + body
    return cobs(content + struct.pack("<I", zlib.crc32(content))) + b"\0"


Arena = bytearray


@dataclass
class Network:
    """What the device runs: each layer changes the arena; inputs and outputs are (offset, bytes) in it."""

    name: str
    digest: int
    arena_bytes: int
    inputs: Sequence[tuple[int, int]]
    outputs: Sequence[tuple[int, int]]
    layers: Sequence[Callable[[Arena], None]]
    constants: bytes = b"weights"

    @property
    def input_bytes(self) -> int:
        return sum(n for _, n in self.inputs)

    @property
    def output_bytes(self) -> int:
        return sum(n for _, n in self.outputs)


def toy() -> Network:
    """Six bytes in, four out, through three layers."""

    def spread(arena: Arena) -> None:
        arena[6:14] = bytes((arena[i % 6] * 3 + i) % 256 for i in range(8))

    def mix(arena: Arena) -> None:
        arena[0:4] = bytes(arena[6 + i] ^ arena[10 + i] for i in range(4))

    def finish(arena: Arena) -> None:
        arena[12:16] = bytes((x + 1) % 256 for x in arena[0:4])

    return Network("toy", 0x0BAD_CAFE, 20, [(0, 4), (4, 2)], [(12, 3), (15, 1)], [spread, mix, finish])


def wide() -> Network:
    """100 bytes in, 90 out: longer than a frame of 64."""

    def turn(arena: Arena) -> None:
        arena[100:200] = bytes((arena[99 - i] + i) % 256 for i in range(100))

    def finish(arena: Arena) -> None:
        arena[0:90] = bytes(arena[100 + i] ^ arena[101 + i] for i in range(90))

    return Network("wide", 0x0000_BEEF, 200, [(0, 100)], [(0, 90)], [turn, finish])


def output_of(network: Network, data: bytes) -> bytes:
    """What the network computes."""
    device = DeviceModel(network)
    device.put_input(data)
    device.layers_from(0, None)
    return device.output()


@dataclass
class DeviceModel:
    """The firmware of docs/protocol.md; `feed` takes what the line brings and returns what goes back.

    `resets_at` are the requests, counted from 0 over the device's whole life, at which it is reset: just before it is
    carried out, or (`resets_after`) just before it is answered.
    """

    network: Network = field(default_factory=toy)
    payload_bytes: int = 64
    window_bytes: int = 0
    flags: int = COUNTS_CYCLES
    version: int = 1
    board: str = "paper"
    clock_hz: int = 16_000_000
    resets_at: frozenset[int] = frozenset()
    resets_after: frozenset[int] = frozenset()
    others: Sequence[Network] = ()  # models behind the first, in the same arena
    requests: list[int] = field(default_factory=list)  # types of all that were carried out
    inferences: int = 0

    def __post_init__(self) -> None:
        self.networks = (self.network, *self.others)
        self.power_on()

    def power_on(self) -> None:
        self.arena = bytearray(max(network.arena_bytes for network in self.networks))
        self.kept = bytearray(self.network.input_bytes)
        self.received = bytearray()
        self.result_crc: int | None = None
        self.has_cycles = False
        self.next_layer: int | None = None  # of a paused run
        self.order: tuple[int, int, bytes] | None = None
        self.order_answer = b""
        self.paint: int | None = None

    def reset(self) -> bytes:
        """What the device sends when it starts."""
        self.power_on()
        return b"\0" + frame(0xFE, 0, b"\0")

    def feed(self, data: bytes) -> bytes:
        answer = bytearray()
        for byte in data:
            if byte:
                self.received.append(byte)
            elif self.received:
                received, self.received = bytes(self.received), bytearray()
                answer += self._frame(received)
        return bytes(answer)

    def _frame(self, received: bytes) -> bytes:
        content = uncobs(received)
        if content is None:
            return frame(0xFF, 0, b"\x01")
        if len(content) > 6 + self.payload_bytes:
            return frame(0xFF, 0, b"\x03")
        if len(content) < 6:
            return frame(0xFF, 0, b"\x04")
        if struct.pack("<I", zlib.crc32(content[:-4])) != content[-4:]:
            return frame(0xFF, 0, b"\x02")
        type_, sequence, body = content[0], content[1], content[2:-4]
        if type_ == OF_MODEL and self.others:
            if body[0] >= len(self.networks):
                return frame(type_ | 0x80, sequence, bytes((BAD_ADDRESS,)))
            self.ask(self.networks[body[0]])
            type_, body = body[1], body[2:]
        elif self.others:
            self.ask(self.networks[0])
        number = len(self.requests)
        self.requests.append(type_)
        if number in self.resets_at:
            return self.reset()
        status, answer = self.carry_out(type_, sequence, body)
        if number in self.resets_after:
            return self.reset()
        assert 1 + len(answer) <= self.payload_bytes
        return frame(type_ | 0x80, sequence, bytes((status,)) + answer)

    def ask(self, network: Network) -> None:
        """What follows is about this one, and nothing is left of another."""
        if network is not self.network:
            self.network = network
            self.kept = bytearray(network.input_bytes)
            self.order, self.result_crc, self.has_cycles = None, None, False

    def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
        if type_ == HELLO:
            return OK, self.hello()
        if type_ == 0x02:
            return OK, body
        if type_ == 0x03:
            return OK, struct.pack("<I", 0)
        if type_ == 0x14:
            offset, n = struct.unpack("<IH", body)
            return (OK, bytes(self.arena[offset : offset + n])) if offset + n <= len(self.arena) else (BAD_ADDRESS, b"")
        if type_ == 0x18:
            return OK, struct.pack("<II", zlib.crc32(self.network.constants), len(self.network.constants))
        if type_ in (RUN, CONTINUE):
            return self.run(type_, sequence, body)
        if self.next_layer is not None:
            return WRONG_STATE, b""
        if type_ == INFER:
            return self.infer(body)
        if type_ == WRITE_INPUT:
            return self.write_input(body)
        if type_ == READ_OUTPUT:
            crc, offset, n = struct.unpack("<IIH", body)
            if crc != self.result_crc:
                return NO_RESULT, b""
            return OK, self.output()[offset : offset + n]
        if type_ == 0x16:
            first, n = struct.unpack("<HH", body)
            if not self.has_cycles:
                return NO_RESULT, b""
            return OK, struct.pack(f"<{n}I", *(CYCLES_OF_LAYER + first + i for i in range(n)))
        if type_ == 0x17:
            return self.marks(body[0])
        return UNKNOWN_TYPE, b""

    def hello(self) -> bytes:
        network = self.network
        paused = IS_PAUSED if self.next_layer is not None else 0
        head = struct.pack("<BBHH", self.version, 0, self.payload_bytes, self.window_bytes)
        head += struct.pack("<BBI", self.flags | paused, len(self.others), self.clock_hz)
        sizes = (network.digest, network.input_bytes, network.output_bytes, network.arena_bytes, 4096)
        texts = b"".join(bytes([len(t)]) + t for t in (self.board.encode(), network.name.encode(), b"paper -O2"))
        return (head + struct.pack("<5IH", *sizes, len(network.layers)) + texts)[: self.payload_bytes - 1]

    def put_input(self, data: bytes) -> None:
        for offset, n in self.network.inputs:
            self.arena[offset : offset + n] = data[:n]
            data = data[n:]

    def output(self) -> bytes:
        return b"".join(bytes(self.arena[offset : offset + n]) for offset, n in self.network.outputs)

    def infer(self, body: bytes) -> tuple[int, bytes]:
        if 5 + self.network.output_bytes > self.payload_bytes:
            return UNSUPPORTED, b""
        if len(body) != self.network.input_bytes:
            return BAD_LENGTH, b""
        self.order = None
        self.put_input(body)
        self.layers_from(0, None)
        return OK, struct.pack("<I", self.cycles()) + self.output()

    def cycles(self) -> int:
        return CYCLES_OF_LAYER * len(self.network.layers) + self.inferences

    def layers_from(self, first: int, pause_after: int | None) -> None:
        self.next_layer, self.result_crc, self.has_cycles = None, None, False
        for index in range(first, len(self.network.layers)):
            self.network.layers[index](self.arena)
            if index == pause_after:
                self.next_layer = index + 1
                return
        self.inferences += 1
        self.has_cycles = True

    def write_input(self, body: bytes) -> tuple[int, bytes]:
        offset, data = struct.unpack_from("<I", body)[0], body[4:]
        if offset + len(data) > len(self.kept):
            return BAD_ADDRESS, b""
        self.kept[offset : offset + len(data)] = data
        self.order, self.result_crc = None, None
        return OK, b""

    def run(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
        if self.order == (type_, sequence, body):
            return OK, self.order_answer
        if (type_ == CONTINUE) != (self.next_layer is not None):
            return WRONG_STATE, b""
        if type_ == RUN:
            _, flags, layer, self.wanted_crc = struct.unpack("<HBHI", body)
            if zlib.crc32(self.kept) != self.wanted_crc:
                return WRONG_INPUT, b""
            self.put_input(bytes(self.kept))
            if not self.flags & KEEPS_INPUT:
                self.kept = bytearray(len(self.kept))  # the arena is the only place, and the run overwrites it
        else:
            flags, layer = struct.unpack("<BH", body)
        self.layers_from(self.next_layer or 0, layer if flags & 1 else None)
        if self.next_layer is None:
            self.result_crc = self.wanted_crc
        self.order = (type_, sequence, body)
        self.order_answer = struct.pack("<BI", self.next_layer is not None, self.cycles())
        return OK, self.order_answer

    def marks(self, task: int) -> tuple[int, bytes]:
        if task:
            self.paint = 0xA5 if task == 1 else 0x5A
            self.arena[:] = bytes([self.paint]) * len(self.arena)
        changed = [i + 1 for i, x in enumerate(self.arena) if x != self.paint] if self.paint is not None else []
        return OK, struct.pack("<II", 312, max(changed, default=0))


@dataclass
class Fault:
    """What happens to one byte of a stream, counted from 0 as the sender sends it."""

    position: int
    kind: str  # flipped, zeroed, dropped, doubled, inserted

    def apply(self, byte: int) -> bytes:
        value = 1 + self.position * 37 % 255
        return {
            "flipped": bytes([byte ^ value]),
            "zeroed": b"\0",
            "dropped": b"",
            "doubled": bytes([byte, byte]),
            "inserted": bytes([value, byte]),
        }[self.kind]


class Wire:
    """One direction of a line with a fault on it."""

    def __init__(self, fault: Fault | None = None) -> None:
        self._fault = fault
        self.sent_bytes = 0

    def carry(self, data: bytes) -> bytes:
        start, self.sent_bytes = self.sent_bytes, self.sent_bytes + len(data)
        if self._fault is None or not 0 <= self._fault.position - start < len(data):
            return data
        at = self._fault.position - start
        return data[:at] + self._fault.apply(data[at]) + data[at + 1 :]


class ModelLink:
    """A link to a device model in the same thread. Its clock goes on only while nothing arrives."""

    name = "model"
    baud = 115_200

    def __init__(
        self,
        device: DeviceModel | None = None,
        to_device: Fault | None = None,
        from_device: Fault | None = None,
        chunk_bytes: int = 4096,
    ) -> None:
        self.device = device or DeviceModel()
        self.outward, self.inward = Wire(to_device), Wire(from_device)
        self.now_s = 0.0
        self.is_closed = False
        self.writes: list[bytes] = []
        self._chunk_bytes = chunk_bytes
        self._arriving = bytearray()

    def clock(self) -> float:
        return self.now_s

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.arrive(self.device.feed(self.outward.carry(data)))

    def arrive(self, data: bytes) -> None:
        """Bytes that the device sends."""
        self._arriving += self.inward.carry(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        n = min(max_bytes, self._chunk_bytes, len(self._arriving))
        found, self._arriving = bytes(self._arriving[:n]), self._arriving[n:]
        if not found:
            self.now_s += timeout_s
        return found

    def close(self) -> None:
        self.is_closed = True


@contextmanager
def on_pty(device: DeviceModel) -> Iterator[str]:
    """The device at a pseudo-terminal, whose path is the port; ends with the block."""
    controller, terminal = os.openpty()
    tty.setraw(terminal)
    stop_read, stop_write = os.pipe()

    def serve() -> None:
        while True:
            ready, _, _ = select.select([controller, stop_read], [], [])
            if stop_read in ready:
                return
            answer = device.feed(os.read(controller, 4096))
            while answer:
                answer = answer[os.write(controller, answer) :]

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(terminal)
    finally:
        os.write(stop_write, b"x")
        thread.join()
        for file in (controller, terminal, stop_read, stop_write):
            os.close(file)
