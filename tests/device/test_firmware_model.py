"""The device's side of docs/protocol.md: running a model, repeats, pauses and measurements."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest
from host_board import HostBoard, frame, read_hello
from pair_model import (
    BAD_ADDRESS,
    BAD_COBS,
    BAD_LENGTH,
    CHECKSUM,
    CONSTANTS,
    CONTINUE,
    DAMAGED,
    DONE,
    ECHO,
    HELLO,
    INFER,
    LAYER_CYCLES,
    LAYERS,
    LONG_AT,
    LONG_BYTES,
    MARKS,
    MODEL,
    NO_RESULT,
    OK,
    OUTPUT_BYTES,
    PAUSE,
    PAUSED,
    READ_ARENA,
    READ_OUTPUT,
    RESET,
    RUN,
    SELF_TEST,
    SHORT_AT,
    SHORT_PAYLOAD_BYTES,
    SUM_AT,
    UNKNOWN_TYPE,
    UNSUPPORTED,
    WRITE_INPUT,
    WRONG_INPUT,
    WRONG_STATE,
    layer_cycles,
    layers_of,
    marks,
    output_of,
    read_arena,
    read_output,
    resume,
    run,
    run_body,
    some_input,
    write_input,
)

# Running


def test_an_inference_in_one_exchange(board: HostBoard) -> None:
    for seed in range(5):
        x = some_input(seed)
        status, body = board.request(INFER, x)
        assert (status, body[4:]) == (OK, output_of(x))


def test_inferences_that_wait_in_the_window_are_all_answered(keeping: HostBoard) -> None:
    inputs = [some_input(seed) for seed in range(3)]
    keeping.write(b"".join(frame(INFER, i, x) for i, x in enumerate(inputs)))
    for i, x in enumerate(inputs):
        assert keeping.expect(INFER | 0x80, i)[5:] == output_of(x)


def test_more_than_the_window_loses_frames_but_never_the_step(keeping: HostBoard) -> None:
    inputs = [some_input(seed) for seed in range(60)]
    keeping.write(b"".join(frame(INFER, i, x) for i, x in enumerate(inputs)))
    answered = 0
    while (answer := keeping.read_frame(0.5)) is not None:
        if answer.kind != DAMAGED:
            assert answer.body[5:] == output_of(inputs[answer.sequence])
            answered += 1
    assert answered >= 1
    keeping.write(b"\0")
    while keeping.read_frame(0.2) is not None:  # what the 0 has ended
        pass
    assert keeping.request(INFER, inputs[0])[1][4:] == output_of(inputs[0])


def test_frames_that_are_too_short_for_the_model_leave_the_way_in_parts(short: HostBoard) -> None:
    x = some_input()
    assert read_hello(short.request(HELLO)).payload_bytes == SHORT_PAYLOAD_BYTES
    assert short.request(INFER, x[:60]) == (UNSUPPORTED, b"")
    write_input(short, x, SHORT_PAYLOAD_BYTES - 4)
    assert run(short, x) == DONE
    step = SHORT_PAYLOAD_BYTES - 1
    parts = [read_output(short, x, at, min(step, OUTPUT_BYTES - at)) for at in range(0, OUTPUT_BYTES, step)]
    assert all(status == OK for status, _ in parts)
    assert b"".join(part for _, part in parts) == output_of(x)
    assert read_output(short, x, 0, SHORT_PAYLOAD_BYTES) == (BAD_LENGTH, b"")
    assert read_arena(short, 0, SHORT_PAYLOAD_BYTES) == (BAD_LENGTH, b"")


def test_an_input_in_parts_of_any_size_and_order(board: HostBoard) -> None:
    x = some_input()
    cuts = [0, 1, 3, 300, 599, 601, 604, 605]
    for start, end in sorted(pairwise(cuts), key=lambda part: -part[1]):
        assert board.request(WRITE_INPUT, struct.pack("<I", start) + x[start:end]) == (OK, b"")
    assert run(board, x) == DONE
    assert read_output(board, x) == (OK, output_of(x))


def test_an_input_outside_the_inputs_is_refused(board: HostBoard) -> None:
    for offset, n, status in (
        (0, 0, OK),
        (605, 0, OK),
        (604, 1, OK),
        (605, 1, BAD_ADDRESS),
        (606, 0, BAD_ADDRESS),
        (0, 606, BAD_ADDRESS),
        (0xFFFFFFFF, 1, BAD_ADDRESS),
        (0xFFFFFFFF, 2, BAD_ADDRESS),
        (0x80000000, 0, BAD_ADDRESS),
    ):
        assert board.request(WRITE_INPUT, struct.pack("<I", offset) + bytes(n)) == (status, b"")


def test_outputs_are_read_in_any_part_and_not_beyond(board: HostBoard) -> None:
    for offset, n, status in (
        (0, 0, OK),
        (602, 0, OK),
        (599, 3, OK),
        (600, 2, OK),
        (601, 2, BAD_ADDRESS),
        (603, 0, BAD_ADDRESS),
        (0, 603, BAD_ADDRESS),
        (0xFFFFFFFF, 1, BAD_ADDRESS),
        (0, 1024, BAD_LENGTH),
        (0, 65535, BAD_LENGTH),
    ):
        x = some_input()
        write_input(board, x)
        assert run(board, x) == DONE
        expected = output_of(x)[offset : offset + n] if status == OK else b""
        assert read_output(board, x, offset, n) == (status, expected)


def test_the_arena_is_read_in_any_part_and_not_beyond(board: HostBoard) -> None:
    for offset, n, status in (
        (0, 1000, OK),
        (1216, 0, OK),
        (1215, 1, OK),
        (1215, 2, BAD_ADDRESS),
        (1217, 0, BAD_ADDRESS),
        (0, 1024, BAD_LENGTH),
    ):
        assert marks(board, 1)[1] == 0
        assert read_arena(board, offset, n) == (status, b"\xa5" * n if status == OK else b"")


def test_a_run_of_another_input_is_refused(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    assert board.request(RUN, run_body(x[:-1] + bytes([x[-1] ^ 1]))) == (WRONG_INPUT, b"")
    assert run(board, x) == DONE


def test_outputs_of_another_input_are_not_given(board: HostBoard) -> None:
    x, other = some_input(0), some_input(1)
    assert read_output(board, x) == (NO_RESULT, b"")
    write_input(board, x)
    assert read_output(board, x) == (NO_RESULT, b"")
    run(board, x)
    assert read_output(board, other) == (NO_RESULT, b"")
    assert read_output(board, x) == (OK, output_of(x))
    assert board.request(INFER, other)[0] == OK
    assert read_output(board, x) == (NO_RESULT, b"")


def test_a_new_input_takes_the_outputs_where_they_share_memory(polled: HostBoard, keeping: HostBoard) -> None:
    x = some_input()
    for board, expected in ((polled, (NO_RESULT, b"")), (keeping, (OK, output_of(x)))):
        write_input(board, x)
        run(board, x)
        write_input(board, some_input(1))
        assert read_output(board, x) == expected


def test_a_run_destroys_an_input_that_is_not_kept(polled: HostBoard) -> None:
    x = some_input()
    write_input(polled, x)
    run(polled, x)
    assert polled.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
    write_input(polled, x)
    assert run(polled, x) == DONE
    assert polled.request(RUN, run_body(x, count=2)) == (UNSUPPORTED, b"")


def test_an_input_that_is_kept_runs_many_times(keeping: HostBoard) -> None:
    x = some_input()
    write_input(keeping, x)
    for count in (1, 2, 300):
        assert run(keeping, x, count) == DONE
        assert read_output(keeping, x) == (OK, output_of(x))


def test_what_a_run_may_ask_for(board: HostBoard) -> None:
    for count, flags, layer, status in (
        (0, 0, 0, UNSUPPORTED),
        (1, 2, 0, UNSUPPORTED),
        (1, 0x81, 0, UNSUPPORTED),
        (1, PAUSE, LAYERS, BAD_ADDRESS),
        (1, PAUSE, 0xFFFF, BAD_ADDRESS),
        (1, 0, 0xFFFF, OK),
    ):
        x = some_input()
        write_input(board, x)
        assert board.request(RUN, run_body(x, count, flags, layer))[0] == status


# Repeats


def test_a_repeated_run_is_answered_from_memory(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    first = board.request(RUN, run_body(x), sequence=9)
    assert first[0] == OK
    for _ in range(3):
        assert board.request(RUN, run_body(x), sequence=9) == first  # cycles too, which differ from run to run
    assert read_output(board, x) == (OK, output_of(x))


def test_after_a_new_input_the_same_sequence_is_another_run(board: HostBoard) -> None:
    x, other = some_input(0), some_input(1)
    write_input(board, x)
    board.request(RUN, run_body(x), sequence=9)
    write_input(board, other)
    assert board.request(RUN, run_body(x), sequence=9) == (WRONG_INPUT, b"")
    assert board.request(RUN, run_body(other), sequence=9)[0] == OK
    assert read_output(board, other) == (OK, output_of(other))
    write_input(board, other)
    assert board.request(RUN, run_body(other), sequence=9)[0] == OK
    assert read_output(board, other) == (OK, output_of(other))


def test_the_same_sequence_with_another_body_is_another_run(keeping: HostBoard) -> None:
    x = some_input()
    write_input(keeping, x)
    assert keeping.request(RUN, run_body(x), sequence=9)[1][0] == DONE
    assert keeping.request(RUN, run_body(x, flags=PAUSE, layer=1), sequence=9)[1][0] == PAUSED


@pytest.mark.parametrize("task", [1, 2])
def test_after_painting_a_repeat_is_another_run(polled: HostBoard, task: int) -> None:
    x = some_input()
    write_input(polled, x)
    polled.request(RUN, run_body(x), sequence=9)
    marks(polled, task)
    assert polled.request(RUN, run_body(x), sequence=9) == (WRONG_INPUT, b"")
    assert read_output(polled, x) == (NO_RESULT, b"")


def test_repeats_of_the_other_requests_give_the_same_answer(keeping: HostBoard) -> None:
    x = some_input()
    write_input(keeping, x)
    assert run(keeping, x) == DONE
    for kind, body in [
        (HELLO, b""),
        (ECHO, b"abc"),
        (READ_OUTPUT, struct.pack("<IIH", zlib.crc32(x), 0, OUTPUT_BYTES)),
        (READ_ARENA, struct.pack("<IH", 0, 1000)),
        (LAYER_CYCLES, struct.pack("<HH", 0, LAYERS)),
        (MARKS, b"\0"),
        (CHECKSUM, b""),
        (WRITE_INPUT, struct.pack("<I", 0) + x),
    ]:
        first = keeping.request(kind, body, sequence=3)
        assert first[0] == OK
        assert keeping.request(kind, body, sequence=3) == first


# Pauses


def test_a_paused_model_shows_the_output_of_each_layer(board: HostBoard) -> None:
    x = some_input()
    total, turned, output = layers_of(x)
    write_input(board, x)
    assert run(board, x, flags=PAUSE, layer=0) == PAUSED
    assert read_arena(board, SUM_AT, LONG_BYTES) == (OK, total)
    assert read_arena(board, LONG_AT, LONG_BYTES) == (OK, x[:LONG_BYTES])
    assert resume(board, PAUSE, 1) == PAUSED
    assert read_arena(board, LONG_AT, LONG_BYTES) == (OK, turned)
    assert resume(board, PAUSE, 2) == PAUSED
    assert read_arena(board, SUM_AT, LONG_BYTES + 2) == (OK, output[:LONG_BYTES] + turned[:2])
    assert resume(board) == DONE
    assert read_output(board, x) == (OK, output)


def test_a_pause_may_skip_layers(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    assert run(board, x, flags=PAUSE, layer=0) == PAUSED
    assert resume(board, PAUSE, 2) == PAUSED
    assert resume(board) == DONE
    assert read_output(board, x) == (OK, output_of(x))


def test_of_many_runs_the_last_pauses(keeping: HostBoard) -> None:
    x = some_input()
    write_input(keeping, x)
    assert run(keeping, x, count=3, flags=PAUSE, layer=1) == PAUSED
    assert read_arena(keeping, LONG_AT, LONG_BYTES) == (OK, layers_of(x)[1])
    assert resume(keeping) == DONE


def test_a_paused_model_refuses_what_needs_its_arena_or_its_result(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    assert run(board, x, flags=PAUSE, layer=1) == PAUSED
    refused = [
        board.request(INFER, x),
        board.request(WRITE_INPUT, bytes(4)),
        board.request(RUN, run_body(x)),
        read_output(board, x),
        layer_cycles(board),
        board.request(MARKS, b"\x01"),
        board.request(MARKS, b"\x02"),
    ]
    assert refused == [(WRONG_STATE, b"")] * len(refused)
    assert resume(board) == DONE
    assert read_output(board, x) == (OK, output_of(x))


def test_a_paused_model_answers_the_rest(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    usual_flags = read_hello(board.request(HELLO)).flags
    assert run(board, x, flags=PAUSE, layer=1) == PAUSED
    assert read_hello(board.request(HELLO)).flags == usual_flags | 8
    assert board.request(ECHO, b"x") == (OK, b"x")
    assert board.request(SELF_TEST) == (OK, bytes(4))
    assert board.request(CHECKSUM)[0] == OK
    assert board.request(MARKS, b"\0")[0] == OK
    assert board.request(0x50) == (UNKNOWN_TYPE, b"")
    board.write(b"\x07noise\0")
    assert board.expect(DAMAGED, 0) == bytes([BAD_COBS])
    assert board.request(RESET, b"\0") == (OK, b"")
    board.started(MODEL)
    assert read_hello(board.request(HELLO)).flags == usual_flags


def test_what_continue_may_ask_for(board: HostBoard) -> None:
    x = some_input()
    assert board.request(CONTINUE, struct.pack("<BH", 0, 0)) == (WRONG_STATE, b"")
    write_input(board, x)
    assert run(board, x, flags=PAUSE, layer=1) == PAUSED
    for flags, layer, status in ((PAUSE, 0, BAD_ADDRESS), (PAUSE, 1, BAD_ADDRESS), (PAUSE, 3, BAD_ADDRESS)):
        assert board.request(CONTINUE, struct.pack("<BH", flags, layer)) == (status, b"")
    assert board.request(CONTINUE, struct.pack("<BH", 4, 0)) == (UNSUPPORTED, b"")
    assert resume(board, PAUSE, 2) == PAUSED
    assert resume(board) == DONE
    assert board.request(CONTINUE, struct.pack("<BH", 0, 0)) == (WRONG_STATE, b"")


def test_repeats_around_a_pause_are_answered_from_memory(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    first = board.request(RUN, run_body(x, flags=PAUSE, layer=0), sequence=1)
    assert first[1][0] == PAUSED
    assert board.request(RUN, run_body(x, flags=PAUSE, layer=0), sequence=1) == first
    second = board.request(CONTINUE, struct.pack("<BH", PAUSE, 2), sequence=2)
    assert second[1][0] == PAUSED
    assert board.request(CONTINUE, struct.pack("<BH", PAUSE, 2), sequence=2) == second
    third = board.request(CONTINUE, struct.pack("<BH", 0, 0), sequence=3)
    assert third[1][0] == DONE
    assert board.request(CONTINUE, struct.pack("<BH", 0, 0), sequence=3) == third
    assert read_output(board, x) == (OK, output_of(x))


# Measurements


def test_cycles_are_those_of_the_layers_and_never_of_a_pause(board: HostBoard) -> None:
    x = some_input()
    assert layer_cycles(board) == (NO_RESULT, b"")
    write_input(board, x)
    assert run(board, x, flags=PAUSE, layer=0) == PAUSED
    assert board.read_frame(0.3) is None  # a second is 1e9 cycles
    status, body = board.request(CONTINUE, struct.pack("<BH", 0, 0))
    state, cycles = struct.unpack("<BI", body)
    assert (status, state) == (OK, DONE)
    status, body = layer_cycles(board)
    layers = struct.unpack("<3I", body)
    assert 0 < sum(layers) <= cycles < 200_000_000
    assert layer_cycles(board, 1, 2) == (OK, body[4:])
    assert layer_cycles(board, 3, 0) == (OK, b"")
    assert layer_cycles(board, 2, 2) == (BAD_ADDRESS, b"")
    assert layer_cycles(board, 4, 0) == (BAD_ADDRESS, b"")
    assert layer_cycles(board, 0, 256) == (BAD_LENGTH, b"")


def test_an_inference_has_layer_cycles_too(board: HostBoard) -> None:
    status, body = board.request(INFER, some_input())
    assert status == OK
    status, layers = layer_cycles(board)
    assert status == OK
    assert 0 < sum(struct.unpack("<3I", layers)) <= struct.unpack_from("<I", body)[0]


def test_the_mark_of_the_arena_is_the_last_byte_that_changed(board: HostBoard) -> None:
    assert marks(board) == (0, 0)
    assert marks(board, 1) == (0, 0)
    assert read_arena(board, 0, 1000) == (OK, b"\xa5" * 1000)
    x = bytes([0xA5] * LONG_BYTES) + bytes(5)
    write_input(board, x)
    assert run(board, x) == DONE
    assert marks(board)[1] == SHORT_AT + 5
    assert marks(board, 2)[1] == 0
    assert read_arena(board, 0, 1000) == (OK, b"\x5a" * 1000)
    assert board.request(MARKS, b"\x03") == (UNSUPPORTED, b"")


def test_the_mark_of_the_stack_is_that_of_the_deepest_run(board: HostBoard) -> None:
    assert marks(board)[0] == 0
    board.request(ECHO, bytes(1000))
    assert marks(board)[0] == 0  # what the protocol takes is not the model's
    board.request(INFER, some_input())
    stack_bytes = marks(board)[0]
    assert 0 < stack_bytes < 262_144
    board.request(INFER, some_input(1))
    assert marks(board)[0] >= stack_bytes


def test_the_checksum_is_that_of_all_constants(board: HostBoard) -> None:
    status, body = board.request(CHECKSUM)
    assert (status, *struct.unpack("<II", body)) == (OK, zlib.crc32(CONSTANTS), len(CONSTANTS))
