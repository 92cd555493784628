"""The device's side of docs/protocol.md: its numbers, frames, and what both roles answer."""

from __future__ import annotations

import random
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_board import (
    FIRMWARE,
    MODEL_SOURCES,
    PAGE_BYTES,
    ROOT,
    SLOT_ADDRESS,
    SLOT_BYTES,
    HostBoard,
    build,
    cobs_decode,
    cobs_encode,
    compile_c,
    frame,
    read_hello,
)
from pair_model import (
    ARENA_BYTES,
    BAD_COBS,
    BAD_CRC,
    BAD_LENGTH,
    BOOT,
    CHECKSUM,
    COMMIT,
    CONTINUE,
    DAMAGED,
    ECHO,
    ERASE,
    HELLO,
    INFER,
    INPUT_BYTES,
    LAYER_CYCLES,
    LAYERS,
    LOADER,
    MARKS,
    MODEL,
    NO_RESULT,
    OK,
    OUTPUT_BYTES,
    PAYLOAD_BYTES,
    READ_ARENA,
    READ_OUTPUT,
    RESET,
    RUN,
    SELF_TEST,
    SHORT_PAYLOAD_BYTES,
    STARTED,
    TOO_LONG,
    TOO_SHORT,
    UNKNOWN_TYPE,
    UNSUPPORTED,
    WRITE,
    WRITE_INPUT,
    marks,
    read_output,
    run,
    some_input,
    write_input,
)

from mcuq.device import messages

Programs = dict[str, Path]


# The specification


def table(first_column: str) -> dict[str, int]:
    """Name -> number of a table of docs/protocol.md."""
    text = (ROOT / "docs/protocol.md").read_text()
    rows = text.split(f"| {first_column} | name |")[1].split("\n\n")[0]
    return {name: int(number, 0) for number, name in re.findall(r"^\| (\w+) \| (\w+) \|", rows, re.MULTILINE)}


def numbers() -> list[dict[str, int]]:
    """Each enum of numbers.h, without the names' prefix."""
    text = (FIRMWARE / "protocol/numbers.h").read_text()
    enums = re.findall(r"enum \{(.*?)\}", text, re.DOTALL)
    return [{name: int(value, 0) for name, value in re.findall(r"MCUQ_(\w+) = (\w+)", enum)} for enum in enums]


def requests(kind: type[messages.Request]) -> Iterator[type[messages.Request]]:
    for child in kind.__subclasses__():
        yield child
        yield from requests(child)


def test_the_specification_has_the_numbers_of_the_firmware() -> None:
    enums = numbers()
    types = next(enum for enum in enums if "HELLO" in enum)
    assert types.pop("ANSWER") == 0x80
    assert table("type") == types
    assert table("status") == next(enum for enum in enums if "BAD_LENGTH" in enum)
    assert f"version {enums[0]['PROTOCOL_VERSION']}" in (ROOT / "docs/protocol.md").read_text().splitlines()[0]


def test_the_host_has_the_numbers_of_the_specification() -> None:
    kinds = [kind for kind in requests(messages.Request) if isinstance(getattr(kind, "type", None), int)]
    host = {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper(): kind.type for kind in kinds}
    host |= {"OF_MODEL": messages.OF_MODEL, "STARTED": messages.STARTED, "DAMAGED": messages.DAMAGED}
    host["SELF_TEST"] = host.pop("RUN_SELF_TEST")
    assert host == table("type")
    assert {status.name: int(status) for status in messages.Status} == table("status")
    assert numbers()[0]["PROTOCOL_VERSION"] == messages.PROTOCOL_VERSION


def test_the_specification_is_one_page() -> None:
    assert len((ROOT / "docs/protocol.md").read_text().splitlines()) <= 110


# Frames


def test_an_echo_of_any_length_comes_back(board: HostBoard) -> None:
    rng = random.Random(0)
    for n_bytes in (*range(260), *range(500, 520), 762, 1022, 1023):
        for values in ((1,), (0,), (0, 1), (0, 0, 0, 1, 2, 255)):
            data = bytes(rng.choices(values, k=n_bytes))
            assert board.request(ECHO, data) == (OK, data)


def test_blocks_of_254_bytes_end_anywhere_in_a_frame(board: HostBoard) -> None:
    for zero in range(245, 262):
        data = b"\x01" * zero + b"\0" + b"\x02" * 600
        assert board.request(ECHO, data) == (OK, data)


def test_cobs_of_the_tests_is_that_of_the_paper() -> None:
    long = bytes(range(1, 255))
    examples = {
        b"": b"\x01",
        b"\0": b"\x01\x01",
        b"\0\0": b"\x01\x01\x01",
        b"a\0b": b"\x02a\x02b",
        b"ab": b"\x03ab",
        b"a\0": b"\x02a\x01",
        long: b"\xff" + long,
        long + b"\0": b"\xff" + long + b"\x01\x01",
        long + b"a": b"\xff" + long + b"\x02a",
        b"\0" + long: b"\x01\xff" + long,
    }
    for data, encoded in examples.items():
        assert cobs_encode(data) == encoded
        assert cobs_decode(encoded) == data


def test_every_sequence_comes_back(board: HostBoard) -> None:
    for sequence in range(256):
        assert board.request(ECHO, b"", sequence) == (OK, b"")


def test_empty_frames_are_ignored(board: HostBoard) -> None:
    board.write(bytes(1000) + frame(ECHO, 7, b"x") + bytes(1000))
    assert board.expect(ECHO | 0x80, 7) == b"\0x"
    assert board.request(ECHO, b"y") == (OK, b"y")


def test_a_frame_may_come_byte_by_byte(board: HostBoard) -> None:
    for byte in frame(ECHO, 1, b"\0slow"):
        assert board.read_frame(0.001) is None
        board.write(bytes([byte]))
    assert board.expect(ECHO | 0x80, 1) == b"\0\0slow"


def test_frames_may_come_all_at_once(board: HostBoard) -> None:
    board.write(b"".join(frame(ECHO, i, bytes([i])) for i in range(100)))
    for i in range(100):
        assert board.expect(ECHO | 0x80, i) == bytes([0, i])


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"\x05abc\0", BAD_COBS),
        (b"\xff\0", BAD_COBS),
        (cobs_encode(bytes([ECHO, 1]) + b"abcd") + b"\0", BAD_CRC),
        (cobs_encode(bytes(6)) + b"\0", BAD_CRC),
        (b"\x01\0", TOO_SHORT),
        (cobs_encode(bytes(4)) + b"\0", TOO_SHORT),  # the CRC of nothing
        (cobs_encode(b"\x01" + zlib.crc32(b"\x01").to_bytes(4, "little")) + b"\0", TOO_SHORT),
        (cobs_encode(b"12345") + b"\0", TOO_SHORT),
        (frame(ECHO, 1, b"x" * (PAYLOAD_BYTES + 1)), TOO_LONG),
        (b"x" * 70_000 + b"\0", TOO_LONG),
    ],
)
def test_a_damaged_frame_is_answered_with_the_reason(polled: HostBoard, damaged: bytes, reason: int) -> None:
    polled.write(damaged)
    assert polled.expect(DAMAGED, 0) == bytes([reason])
    assert polled.request(ECHO, b"next") == (OK, b"next")


def test_a_frame_with_one_bit_changed_is_never_taken(board: HostBoard) -> None:
    good = frame(ECHO, 1, b"\0payload")
    for i in range(8 * len(good)):
        changed = bytearray(good)
        changed[i // 8] ^= 1 << i % 8
        board.write(bytes(changed) + b"\0")
        for piece in bytes(changed).split(b"\0"):
            if piece:
                board.expect(DAMAGED, 0)
    assert board.request(ECHO, b"next") == (OK, b"next")


def test_what_is_no_request_is_ignored(board: HostBoard) -> None:
    for kind in (0x00, 0x7E, 0x7F, 0x80, 0x81, 0x82, STARTED, DAMAGED):
        board.write(frame(kind, 1))
        assert board.request(ECHO) == (OK, b"")


def test_a_model_does_not_know_other_messages(board: HostBoard) -> None:
    for kind in (0x05, 0x0F, 0x19, ERASE, WRITE, COMMIT, BOOT, 0x24, 0x7D):
        assert board.request(kind, b"12345678") == (UNKNOWN_TYPE, b"")


def test_a_loader_does_not_know_other_messages(loader: HostBoard) -> None:
    for kind in (0x05, INFER, WRITE_INPUT, RUN, READ_OUTPUT, CHECKSUM, 0x24, 0x7D):
        assert loader.request(kind, b"12345678") == (UNKNOWN_TYPE, b"")


LENGTHS = {HELLO: 0, SELF_TEST: 0, RESET: 1, INFER: 605, RUN: 9, READ_OUTPUT: 10, READ_ARENA: 6, CONTINUE: 3}
LENGTHS |= {LAYER_CYCLES: 4, MARKS: 1, CHECKSUM: 0}
LOADER_LENGTHS = {HELLO: 0, SELF_TEST: 0, RESET: 1, ERASE: 4, COMMIT: 8, BOOT: 0}


def test_a_model_refuses_every_other_length(polled: HostBoard) -> None:
    for kind, n_bytes in LENGTHS.items():
        for length in {*range(14), n_bytes - 1, n_bytes + 1, PAYLOAD_BYTES} - {n_bytes, -1}:
            assert polled.request(kind, bytes(length)) == (BAD_LENGTH, b"")


def test_a_loader_refuses_every_other_length(loader: HostBoard) -> None:
    for kind, n_bytes in LOADER_LENGTHS.items():
        for length in {*range(14), n_bytes - 1, n_bytes + 1, PAYLOAD_BYTES} - {n_bytes, -1}:
            assert loader.request(kind, bytes(length)) == (BAD_LENGTH, b"")


def test_a_write_without_its_offset_is_refused(polled: HostBoard, loader: HostBoard) -> None:
    for length in range(4):
        assert polled.request(WRITE_INPUT, bytes(length)) == (BAD_LENGTH, b"")
        assert loader.request(WRITE, bytes(length)) == (BAD_LENGTH, b"")


# What both roles answer


def test_hello_of_a_model(programs: Programs) -> None:
    for kind, window_bytes, flags in (("polled", 0, 2), ("window", 2048, 3)):
        with HostBoard(programs[kind]) as board:
            board.started(MODEL)
            hello = read_hello(board.request(HELLO))
            assert (hello.status, hello.version, hello.role, hello.reserved) == (OK, 1, MODEL, 0)
            assert (hello.payload_bytes, hello.window_bytes, hello.flags) == (PAYLOAD_BYTES, window_bytes, flags)
            assert hello.clock_hz == 1_000_000_000
            assert hello.numbers == (0x1F0C9A3E, INPUT_BYTES, OUTPUT_BYTES, ARENA_BYTES, 262_144, LAYERS)
            assert hello.texts == ("host", "pair", "for tests")


def test_hello_of_a_loader(loader: HostBoard) -> None:
    hello = read_hello(loader.request(HELLO))
    assert (hello.status, hello.version, hello.role, hello.flags, hello.reserved) == (OK, 1, LOADER, 2, 0)
    assert hello.numbers == (SLOT_ADDRESS, SLOT_BYTES, PAGE_BYTES, 0, 0, 0)
    assert hello.texts == ("host", "", "for tests")


@pytest.mark.parametrize(
    ("board", "build_text", "expected"),
    [
        ("a" * 10, "b" * 9, ("a" * 10, "pair", "b" * 9)),
        ("a" * 10, "b" * 40, ("a" * 10, "pair", "b" * 12)),
        ("a" * 25, "b", ("a" * 25, "p", "")),
        ("a" * 30, "b", ("a" * 26, "", "")),
        ("a" * 24 + "\u00e9", "b", ("a" * 24 + "\u00e9", "", "")),
        ("a" * 25 + "\u00e9", "b", ("a" * 25, "p", "")),
        ("a" * 23 + "\U0001f600", "b", ("a" * 23, "pai", "")),
    ],
)
def test_texts_of_hello_are_cut_to_the_frame(
    tmp_path: Path, board: str, build_text: str, expected: tuple[str, ...]
) -> None:
    texts = {"MCUQ_BOARD_NAME": f'"{board}"', "MCUQ_BUILD_TEXT": f'"{build_text}"'}
    program = build(tmp_path / "program", MODEL_SOURCES, SHORT_PAYLOAD_BYTES, **texts)
    with HostBoard(program) as running:
        running.started(MODEL)
        answer = running.request(HELLO)
        assert len(answer[1]) <= SHORT_PAYLOAD_BYTES - 1
        assert read_hello(answer).texts == expected


def test_an_echo_that_its_answer_has_no_room_for_is_refused(board: HostBoard) -> None:
    data = bytes(PAYLOAD_BYTES - 1)
    assert board.request(ECHO, data) == (OK, data)
    assert board.request(ECHO, data + b"\0") == (BAD_LENGTH, b"")


def test_the_self_test_passes(board: HostBoard, loader: HostBoard) -> None:
    assert board.request(SELF_TEST) == (OK, bytes(4))
    assert loader.request(SELF_TEST) == (OK, bytes(4))


@pytest.mark.parametrize(
    ("file", "right", "wrong", "failed"),
    [
        ("board.h", "", "", 0),
        ("protocol/crc32.c", "0x1db71064", "0x1db71065", 1),
        ("protocol/frame.c", "store(decoder, 0)", "store(decoder, 1)", 2),
        ("kernels/mcuq_math.h", "((1 << shift) >> 1)", "0", 4),
        ("kernels/mcuq_math.h", "(int64_t)1 << (31 + shift)", "(int64_t)0", 4),
        ("test.c", "return ++cycles;", "return cycles;", 8),
    ],
)
def test_the_self_test_finds_what_is_broken(tmp_path: Path, file: str, right: str, wrong: str, failed: int) -> None:
    names = ["board.h", "kernels/mcuq_math.h", *(f"protocol/{name}" for name in ("crc32.c", "frame.c", "self_test.c"))]
    sources = {name: (FIRMWARE / name).read_text() for name in names}
    sources |= {f"protocol/{path.name}": path.read_text() for path in (FIRMWARE / "protocol").glob("*.h")}
    sources["test.c"] = """
        #include "board.h"
        #include "protocol/self_test.h"
        uint32_t board_cycles(void) { static uint32_t cycles; return ++cycles; }
        int main(void) { return (int)mcuq_self_test(); }
    """
    assert right in sources[file]
    sources[file] = sources[file].replace(right, wrong) if right else sources[file]
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    program = compile_c(tmp_path / "test", [tmp_path / name for name in sources if name.endswith(".c")])
    assert subprocess.run([str(program)], check=False).returncode == failed


def test_a_reset_starts_the_firmware_again(board: HostBoard) -> None:
    x = some_input()
    write_input(board, x)
    run(board, x)
    assert board.request(RESET, b"\0") == (OK, b"")
    board.started(MODEL)
    assert read_output(board, x) == (NO_RESULT, b"")
    assert marks(board) == (0, 0)


def test_the_reset_button_is_seen_by_the_host(board: HostBoard) -> None:
    board.write(frame(ECHO, 1, b"cut in the middle")[:-5])
    assert board.read_frame(0.05) is None
    board.press_reset()
    board.started(MODEL)
    assert board.request(ECHO, b"x") == (OK, b"x")


def test_an_unknown_reset_is_refused(board: HostBoard, loader: HostBoard) -> None:
    for target in (2, 3, 255):
        assert board.request(RESET, bytes([target])) == (UNSUPPORTED, b"")
        assert loader.request(RESET, bytes([target])) == (UNSUPPORTED, b"")


def test_without_a_loader_a_reset_into_it_is_refused(tmp_path: Path) -> None:
    program = build(tmp_path / "program", MODEL_SOURCES, MCUQ_MAILBOX_ADDRESS=None)
    with HostBoard(program) as running:
        running.started(MODEL)
        assert running.request(RESET, b"\x01") == (UNSUPPORTED, b"")
        assert running.request(RESET, b"\x00") == (OK, b"")
        running.started(MODEL)
