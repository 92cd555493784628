"""What pair_model.c computes, and requests to a firmware that runs it: the numbers are those of docs/protocol.md."""

from __future__ import annotations

import random
import struct
import zlib

from host_board import HostBoard

HELLO, ECHO, SELF_TEST, RESET = 0x01, 0x02, 0x03, 0x04
INFER, WRITE_INPUT, RUN, READ_OUTPUT, READ_ARENA, CONTINUE = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
LAYER_CYCLES, MARKS, CHECKSUM, OF_MODEL = 0x16, 0x17, 0x18, 0x19
ERASE, WRITE, COMMIT, BOOT = 0x20, 0x21, 0x22, 0x23
OK, UNKNOWN_TYPE, BAD_LENGTH, BAD_ADDRESS, WRONG_INPUT, NO_RESULT = 0, 1, 2, 3, 4, 5
WRONG_STATE, UNSUPPORTED, SELF_TEST_FAILED = 6, 7, 10
DAMAGED, STARTED = 0xFF, 0xFE
BAD_COBS, BAD_CRC, TOO_LONG, TOO_SHORT = 1, 2, 3, 4
PAUSE, ANY_LAYER = 1, 0
DONE, PAUSED = 0, 1
MODEL, LOADER = 0, 1

# pair_model.c
INPUT_BYTES, LONG_BYTES, OUTPUT_BYTES, ARENA_BYTES, LAYERS = 605, 600, 602, 1216, 3
SUM_AT, LONG_AT, SHORT_AT = 8, 608, 1208
CONSTANTS = bytes([85, 0xAA]) + struct.pack("<3H", 1, 600, 0x1234)

PAYLOAD_BYTES, SHORT_PAYLOAD_BYTES = 1024, 64


def layers_of(x: bytes) -> tuple[bytes, bytes, bytes]:
    """Outputs of pair_model.c's layers; the last are those of the model."""
    long, short = x[:LONG_BYTES], x[LONG_BYTES:]
    total = bytes((a + short[i % 5]) % 256 for i, a in enumerate(long))
    turned = total[::-1]
    output = bytes(a ^ 85 for a in turned)
    return total, turned, output + struct.pack("<H", sum(output) % 65536)


def output_of(x: bytes) -> bytes:
    return layers_of(x)[-1]


def some_input(seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(INPUT_BYTES)


def run_body(x: bytes, count: int = 1, flags: int = 0, layer: int = ANY_LAYER) -> bytes:
    return struct.pack("<HBHI", count, flags, layer, zlib.crc32(x))


def write_input(board: HostBoard, x: bytes, chunk_bytes: int = 1000) -> None:
    for offset in range(0, len(x), chunk_bytes):
        body = struct.pack("<I", offset) + x[offset : offset + chunk_bytes]
        assert board.request(WRITE_INPUT, body) == (OK, b"")


def run(board: HostBoard, x: bytes, count: int = 1, flags: int = 0, layer: int = ANY_LAYER) -> int:
    """State of the answer."""
    status, body = board.request(RUN, run_body(x, count, flags, layer))
    assert (status, len(body)) == (OK, 5)
    return body[0]


def resume(board: HostBoard, flags: int = 0, layer: int = ANY_LAYER) -> int:
    status, body = board.request(CONTINUE, struct.pack("<BH", flags, layer))
    assert (status, len(body)) == (OK, 5)
    return body[0]


def read_output(board: HostBoard, x: bytes, offset: int = 0, n: int = OUTPUT_BYTES) -> tuple[int, bytes]:
    return board.request(READ_OUTPUT, struct.pack("<IIH", zlib.crc32(x), offset, n))


def read_arena(board: HostBoard, offset: int, n: int) -> tuple[int, bytes]:
    return board.request(READ_ARENA, struct.pack("<IH", offset, n))


def layer_cycles(board: HostBoard, first: int = 0, n: int = LAYERS) -> tuple[int, bytes]:
    return board.request(LAYER_CYCLES, struct.pack("<HH", first, n))


def marks(board: HostBoard, task: int = 0) -> tuple[int, int]:
    status, body = board.request(MARKS, bytes([task]))
    assert status == OK
    return struct.unpack("<II", body)
