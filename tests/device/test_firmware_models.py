"""The device's side of docs/protocol.md with several models: requests name theirs, and each has its own results."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest
from host_board import HostBoard, frame, read_hello
from pair_model import (
    ARENA_BYTES,
    BAD_ADDRESS,
    BAD_LENGTH,
    CHECKSUM,
    CONSTANTS,
    CONTINUE,
    DONE,
    ECHO,
    HELLO,
    INFER,
    LAYER_CYCLES,
    LAYERS,
    MARKS,
    MODEL,
    NO_RESULT,
    OF_MODEL,
    OK,
    PAUSE,
    PAUSED,
    READ_ARENA,
    READ_OUTPUT,
    RUN,
    UNKNOWN_TYPE,
    WRITE_INPUT,
    WRONG_INPUT,
    WRONG_STATE,
    marks,
    output_of,
    read_output,
    resume,
    run,
    run_body,
    some_input,
    write_input,
)

# reverse_model.c
REVERSE_BYTES, REVERSE_ARENA_BYTES, REVERSE_LAYERS = 40, 720, 2
X = bytes(range(7, 47))


def reversed_plus_one(x: bytes) -> bytes:
    return bytes((a + 1) % 256 for a in x[::-1])


@pytest.fixture(params=["two", "two-keeping"])
def two(request: pytest.FixtureRequest, programs: dict) -> Iterator[HostBoard]:
    with HostBoard(programs[request.param]) as board:
        board.started(MODEL)
        yield board


def of(board: HostBoard, model: int, kind: int, body: bytes = b"", sequence: int = 77) -> tuple[int, bytes]:
    """Status and rest of what answers the request, whose answer has its own type."""
    board.write(frame(OF_MODEL, sequence, bytes([model, kind]) + body))
    answer = board.expect(kind | 0x80, sequence)
    return answer[0], answer[1:]


def write_to_second(board: HostBoard, x: bytes = X) -> None:
    assert of(board, 1, WRITE_INPUT, struct.pack("<I", 0) + x) == (OK, b"")


def second_output(board: HostBoard, x: bytes = X) -> tuple[int, bytes]:
    return of(board, 1, READ_OUTPUT, struct.pack("<IIH", zlib.crc32(x), 0, REVERSE_BYTES))


def test_each_model_says_who_it_is(two: HostBoard) -> None:
    first = read_hello(two.request(HELLO))
    assert (first.reserved, first.numbers[0], first.texts[1]) == (1, 0x1F0C9A3E, "pair")
    assert read_hello(of(two, 0, HELLO)) == first
    second = read_hello(of(two, 1, HELLO))
    assert second.numbers[:4] == (0x0BADCAFE, REVERSE_BYTES, REVERSE_BYTES, REVERSE_ARENA_BYTES)
    assert (second.reserved, second.numbers[5], second.texts[1]) == (1, REVERSE_LAYERS, "reverse")
    assert (second.payload_bytes, second.flags, second.clock_hz) == (first.payload_bytes, first.flags, first.clock_hz)


def test_inferences_of_both_in_turn(two: HostBoard) -> None:
    for seed in range(4):
        x = some_input(seed)
        assert two.request(INFER, x)[1][4:] == output_of(x)
        assert of(two, 1, INFER, X)[1][4:] == reversed_plus_one(X)
        assert of(two, 0, INFER, x)[1][4:] == output_of(x)
    assert of(two, 1, INFER, some_input()) == (BAD_LENGTH, b"")


def test_what_ran_last_alone_has_a_result_and_cycles(two: HostBoard) -> None:
    x = some_input()
    write_input(two, x)
    assert run(two, x) == DONE
    assert read_output(two, x) == (OK, output_of(x))
    assert second_output(two, x) == (NO_RESULT, b"")
    assert of(two, 1, LAYER_CYCLES, struct.pack("<HH", 0, REVERSE_LAYERS)) == (NO_RESULT, b"")
    write_to_second(two)
    assert of(two, 1, RUN, run_body(X))[0] == OK
    assert second_output(two) == (OK, reversed_plus_one(X))
    assert read_output(two, X, 0, 1) == (NO_RESULT, b"")
    assert read_output(two, x) == (NO_RESULT, b"")
    assert two.request(LAYER_CYCLES, struct.pack("<HH", 0, LAYERS)) == (NO_RESULT, b"")
    assert len(of(two, 1, LAYER_CYCLES, struct.pack("<HH", 0, REVERSE_LAYERS))[1]) == 4 * REVERSE_LAYERS
    assert of(two, 1, LAYER_CYCLES, struct.pack("<HH", 0, LAYERS)) == (BAD_ADDRESS, b"")


def test_an_input_that_another_model_has_overwritten_is_asked_for_again(programs: dict) -> None:
    with HostBoard(programs["two"]) as two:
        two.started(MODEL)
        write_to_second(two)
        x = some_input()
        write_input(two, x)
        assert of(two, 1, INFER, X)[0] == OK
        assert two.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
        assert of(two, 1, RUN, run_body(x)) == (WRONG_INPUT, b"")


def test_stale_outputs_are_spoiled_whichever_model_runs_next(programs: dict) -> None:
    with HostBoard(programs["two"]) as two:
        two.started(MODEL)
        x = some_input()
        write_input(two, x)
        assert run(two, x) == DONE
        assert two.request(READ_ARENA, struct.pack("<IH", 208, 300)) == (OK, output_of(x)[200:500])
        write_to_second(two)
        spoiled = bytes((a + 85) % 256 for a in output_of(x)[200:500])
        assert two.request(READ_ARENA, struct.pack("<IH", 208, 300)) == (OK, spoiled)


def test_the_repeat_of_one_models_run_is_not_taken_for_the_others(two: HostBoard) -> None:
    write_to_second(two)
    first = of(two, 1, RUN, run_body(X), sequence=9)
    assert first[0] == OK
    assert of(two, 1, RUN, run_body(X), sequence=9) == first
    assert two.request(RUN, run_body(X), sequence=9) == (WRONG_INPUT, b"")
    assert second_output(two) == (OK, reversed_plus_one(X))


def test_a_paused_model_goes_on_whoever_asks(two: HostBoard) -> None:
    """So that a host that knows of one model alone gets the device out of what another has left."""
    write_to_second(two)
    status, body = of(two, 1, RUN, struct.pack("<HBHI", 1, PAUSE, 0, zlib.crc32(X)))
    assert (status, body[0]) == (OK, PAUSED)
    assert of(two, 1, READ_ARENA, struct.pack("<IH", 640, 40)) == (OK, X[::-1])
    hello = read_hello(two.request(HELLO))
    assert (hello.texts[1], hello.flags & 8) == ("pair", 8)
    assert two.request(INFER, some_input()) == (WRONG_STATE, b"")
    assert of(two, 1, INFER, X) == (WRONG_STATE, b"")
    assert two.request(CONTINUE, struct.pack("<BH", PAUSE, REVERSE_LAYERS)) == (BAD_ADDRESS, b"")
    assert resume(two) == DONE
    assert second_output(two) == (OK, reversed_plus_one(X))
    assert two.request(INFER, some_input())[1][4:] == output_of(some_input())


def test_the_paint_is_of_one_arena(two: HostBoard) -> None:
    assert of(two, 1, MARKS, b"\x01") == (OK, struct.pack("<II", *marks(two)[:1], 0))
    assert two.request(READ_ARENA, struct.pack("<IH", 0, 721))[1][:720] == b"\xa5" * 720
    assert of(two, 1, INFER, X)[0] == OK
    assert struct.unpack("<II", of(two, 1, MARKS, b"\0")[1])[1] == REVERSE_ARENA_BYTES
    assert marks(two)[1] == 0
    assert marks(two, 1)[1] == 0
    assert two.request(INFER, some_input())[0] == OK
    assert ARENA_BYTES - 8 < marks(two)[1] <= ARENA_BYTES
    assert struct.unpack("<II", of(two, 1, MARKS, b"\0")[1])[1] == 0


def test_each_has_its_constants(two: HostBoard) -> None:
    assert two.request(CHECKSUM) == (OK, struct.pack("<II", zlib.crc32(CONSTANTS), len(CONSTANTS)))
    assert of(two, 1, CHECKSUM) == (OK, struct.pack("<II", zlib.crc32(b"\1"), 1))


def test_a_reset_forgets_what_ran(two: HostBoard) -> None:
    write_to_second(two)
    assert of(two, 1, RUN, run_body(X))[0] == OK
    two.press_reset()
    two.started(MODEL)
    assert second_output(two) == (NO_RESULT, b"")
    assert of(two, 1, LAYER_CYCLES, struct.pack("<HH", 0, 1)) == (NO_RESULT, b"")
    assert of(two, 1, INFER, X)[1][4:] == reversed_plus_one(X)


def test_what_names_no_model_or_no_request_is_refused(two: HostBoard) -> None:
    for body, status in (
        (b"", BAD_LENGTH),
        (b"\1", BAD_LENGTH),
        (bytes([2, HELLO]), BAD_ADDRESS),
        (bytes([255, HELLO]), BAD_ADDRESS),
        (bytes([0, 0]), UNKNOWN_TYPE),
        (bytes([1, 0x7E]), UNKNOWN_TYPE),
        (bytes([1, 0xFE]), UNKNOWN_TYPE),
        (bytes([1, OF_MODEL, 1, HELLO]), UNKNOWN_TYPE),
    ):
        assert two.request(OF_MODEL, body) == (status, b"")
    assert of(two, 1, 0x77) == (UNKNOWN_TYPE, b"")
    assert of(two, 1, ECHO, b"x" * 1022) == (OK, b"x" * 1022)


def test_firmware_of_one_model_does_not_know_the_request(board: HostBoard) -> None:
    assert board.request(OF_MODEL, bytes([0, HELLO])) == (UNKNOWN_TYPE, b"")
    assert read_hello(board.request(HELLO)).reserved == 0
