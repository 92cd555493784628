"""The resident loader: what it takes, what it starts, and what a cut at any moment leaves."""

from __future__ import annotations

import random
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from host_board import (
    FIRMWARE,
    LOADER_SOURCES,
    MODEL_SOURCES,
    PAGE_BYTES,
    ROOT,
    SLOT_BYTES,
    HostBoard,
    build,
    compile_c,
    frame,
    read_hello,
)

HELLO, ECHO, RESET, ERASE, WRITE, COMMIT, BOOT = 0x01, 0x02, 0x04, 0x20, 0x21, 0x22, 0x23
OK, UNKNOWN_TYPE, BAD_ADDRESS, WRONG_STATE, WRONG_IMAGE, FLASH_FAILED = 0, 1, 3, 6, 8, 9
STARTED = 0xFE
MODEL, LOADER = 0, 1
CHUNK_BYTES = 1000
MAILBOX_AT = SLOT_BYTES


class Programs(NamedTuple):
    """The loader, and two models for its slot: executable files of this computer."""

    loader: Path
    old: bytes
    new: bytes


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    folder = tmp_path_factory.mktemp("loader")
    loader = build(folder / "loader", LOADER_SOURCES, MCUQ_SLOT_RAM="1")
    images = [
        build(folder / name, MODEL_SOURCES, sanitize=False, MCUQ_BOARD_NAME=f'"{name}"').read_bytes()
        for name in ("old", "new")
    ]
    return Programs(loader, *images)


class Slot:
    """The memory that outlives a reset: a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def image(self) -> bytes | None:
        """What a loader would start."""
        with self.path.open("rb") as file:
            magic, n_bytes, crc, complement = struct.unpack("<4sIII", file.read(16))
            if magic != b"MCUQ" or complement != ~(n_bytes ^ crc) & 0xFFFFFFFF or n_bytes > SLOT_BYTES - PAGE_BYTES:
                return None
            file.seek(PAGE_BYTES)
            image = file.read(n_bytes)
        return image if n_bytes and zlib.crc32(image) == crc else None

    def put(self, data: bytes, at: int = 0) -> None:
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(at)
            file.write(data)

    def put_image(self, image: bytes) -> None:
        n_bytes, crc = len(image), zlib.crc32(image)
        self.put(b"MCUQ" + struct.pack("<IIII", n_bytes, crc, ~(n_bytes ^ crc) & 0xFFFFFFFF, 0xFFFFFFFF))
        self.put(image, PAGE_BYTES)


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path / "slot")


def start(programs: Programs, slot: Slot) -> HostBoard:
    return HostBoard(programs.loader, "--slot", str(slot.path))


@pytest.fixture
def loader(programs: Programs, slot: Slot) -> Iterator[HostBoard]:
    with start(programs, slot) as board:
        board.started(LOADER)
        yield board


def requests_of(image: bytes) -> list[tuple[int, bytes]]:
    """Type and body of what loads an image."""
    writes = [(WRITE, struct.pack("<I", at) + image[at : at + CHUNK_BYTES]) for at in range(0, len(image), CHUNK_BYTES)]
    return [
        (ERASE, struct.pack("<I", len(image))),
        *writes,
        (COMMIT, struct.pack("<II", len(image), zlib.crc32(image))),
    ]


def load(board: HostBoard, image: bytes) -> None:
    for kind, body in requests_of(image):
        assert board.request(kind, body) == (OK, b"")


def erase(board: HostBoard, n_bytes: int) -> int:
    return board.request(ERASE, struct.pack("<I", n_bytes))[0]


def write(board: HostBoard, at: int, data: bytes) -> int:
    return board.request(WRITE, struct.pack("<I", at) + data)[0]


def commit(board: HostBoard, image: bytes) -> int:
    return board.request(COMMIT, struct.pack("<II", len(image), zlib.crc32(image)))[0]


def name_of(board: HostBoard) -> str:
    return read_hello(board.request(HELLO)).texts[0]


# From an empty slot to a model that runs


def test_an_image_is_loaded_started_and_started_again(programs: Programs, slot: Slot) -> None:
    with start(programs, slot) as board:
        board.started(LOADER)
        load(board, programs.new)
        assert read_hello(board.request(HELLO)).numbers[3:5] == (len(programs.new), zlib.crc32(programs.new))
        assert board.request(BOOT) == (OK, b"")
        board.started(MODEL)
        assert name_of(board) == "new"
        assert board.request(BOOT) == (UNKNOWN_TYPE, b"")  # a repeat, when the answer was lost
        assert board.request(RESET, b"\0") == (OK, b"")
        board.started(MODEL)
    with start(programs, slot) as board:
        board.started(MODEL)


def test_a_model_returns_to_the_loader_once(programs: Programs, slot: Slot) -> None:
    slot.put_image(programs.old)
    with start(programs, slot) as board:
        board.started(MODEL)
        assert board.request(RESET, b"\x01") == (OK, b"")
        board.started(LOADER)
        assert board.request(RESET, b"\x01") == (OK, b"")
        board.started(LOADER)
        load(board, programs.new)
        assert board.request(RESET, b"\0") == (OK, b"")
        board.started(MODEL)
        assert name_of(board) == "new"
        board.press_reset()
        board.started(MODEL)


def test_the_wish_to_stay_is_taken_out(programs: Programs, slot: Slot) -> None:
    slot.put_image(programs.old)
    with start(programs, slot) as board:
        board.started(MODEL)
        assert board.request(RESET, b"\x01") == (OK, b"")
        board.started(LOADER)
        board.press_reset()
        board.started(MODEL)


@pytest.mark.parametrize(
    "words", [b"STAYSTAY", b"STAY" + bytes(4), bytes(4) + bytes(c ^ 255 for c in b"STAY"), bytes(16)]
)
def test_what_lies_in_the_mailbox_by_chance_is_no_wish(programs: Programs, slot: Slot, words: bytes) -> None:
    slot.put_image(programs.old)
    slot.put(words, MAILBOX_AT)
    with start(programs, slot) as board:
        board.started(MODEL)


# What it refuses


def test_nothing_is_written_before_it_is_erased(loader: HostBoard) -> None:
    assert write(loader, 0, b"1234") == WRONG_STATE
    assert commit(loader, b"1234") == WRONG_STATE
    assert loader.request(BOOT) == (WRONG_IMAGE, b"")


def test_sizes_and_offsets_outside_the_slot_are_refused(loader: HostBoard) -> None:
    most = SLOT_BYTES - PAGE_BYTES
    for n_bytes in (most + 1, 0x8000_0000, 0xFFFF_FFFF):
        assert erase(loader, n_bytes) == BAD_ADDRESS
    assert erase(loader, 1000) == OK
    for at, n_bytes in ((1001, 0), (1000, 1), (996, 5), (0, 1001), (1, 4), (2, 4), (3, 1), (0xFFFF_FFFC, 4)):
        assert write(loader, at, bytes(n_bytes)) == BAD_ADDRESS
    for at, n_bytes in ((1000, 0), (996, 4), (0, 0)):
        assert write(loader, at, bytes(n_bytes)) == OK
    for n_bytes in (0, 1001, most, 0xFFFF_FFFF):
        assert loader.request(COMMIT, struct.pack("<II", n_bytes, 0)) == (BAD_ADDRESS, b"")
    assert erase(loader, most) == OK
    assert write(loader, most - 4, b"last") == OK


def test_parts_of_any_size_come_in_any_order_and_twice(loader: HostBoard, slot: Slot) -> None:
    image = random.Random(0).randbytes(2001)
    assert erase(loader, len(image)) == OK
    for at, end in ((1000, 2001), (0, 3), (0, 1000), (1000, 2001), (400, 404)):
        assert write(loader, at, image[at:end]) == OK
    assert commit(loader, image) == OK
    assert slot.image() == image


def test_other_bytes_where_some_were_written_are_refused(loader: HostBoard, slot: Slot) -> None:
    assert erase(loader, 8) == OK
    assert write(loader, 0, b"\x0f\x0f\x0f\x0f") == OK
    assert write(loader, 0, b"\x1f\x0f\x0f\x0f") == FLASH_FAILED


def test_an_image_that_is_not_what_was_sent_is_not_committed(loader: HostBoard, slot: Slot) -> None:
    image = random.Random(0).randbytes(999)
    assert erase(loader, len(image)) == OK
    assert write(loader, 0, image[:500]) == OK
    assert commit(loader, image) == WRONG_IMAGE
    assert slot.image() is None
    assert write(loader, 500, image[500:]) == OK
    assert loader.request(COMMIT, struct.pack("<II", len(image), zlib.crc32(image) ^ 1)) == (WRONG_IMAGE, b"")
    assert commit(loader, image) == OK
    assert slot.image() == image


def test_a_repeated_commit_is_right_and_another_one_is_not(loader: HostBoard) -> None:
    image = random.Random(0).randbytes(999)
    load(loader, image)
    assert commit(loader, image) == OK
    assert commit(loader, image[:-1]) == WRONG_STATE
    assert write(loader, 0, image[:4]) == WRONG_STATE
    assert commit(loader, image) == OK


def test_a_repeated_erase_begins_again(loader: HostBoard, slot: Slot) -> None:
    image = random.Random(0).randbytes(999)
    assert erase(loader, len(image)) == OK
    assert write(loader, 0, image[::-1]) == OK
    load(loader, image)
    assert slot.image() == image


def test_erasing_for_nothing_empties_the_slot(programs: Programs, slot: Slot) -> None:
    slot.put_image(programs.old)
    with start(programs, slot) as board:
        board.started(MODEL)
        board.request(RESET, b"\x01")
        board.started(LOADER)
        assert erase(board, 0) == OK
        assert slot.image() is None
        assert write(board, 0, b"") == WRONG_STATE
        board.request(RESET, b"\0")
        board.started(LOADER)


def test_after_a_reset_an_update_begins_with_erasing(loader: HostBoard) -> None:
    assert erase(loader, 1000) == OK
    assert write(loader, 0, bytes(4)) == OK
    loader.press_reset()
    loader.started(LOADER)
    assert write(loader, 4, bytes(4)) == WRONG_STATE


# What it does not start


def damaged(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Where a slot with an image is changed, and to what."""
    n_bytes, crc = len(image), zlib.crc32(image)
    for i in range(16):
        header = b"MCUQ" + struct.pack("<III", n_bytes, crc, ~(n_bytes ^ crc) & 0xFFFFFFFF)
        yield i, bytes([header[i] ^ 0x10])
    for at in (0, len(image) // 2, len(image) - 1):
        yield PAGE_BYTES + at, bytes([image[at] ^ 1])
    for n_bytes in (0, SLOT_BYTES - PAGE_BYTES + 1, 0xFFFF_FFFF):
        yield 4, struct.pack("<III", n_bytes, crc, ~(n_bytes ^ crc) & 0xFFFFFFFF)
    yield 4, struct.pack("<III", len(image) - 1, crc, ~((len(image) - 1) ^ crc) & 0xFFFFFFFF)


def test_a_slot_in_which_one_bit_has_changed_is_not_started(programs: Programs, slot: Slot) -> None:
    for at, data in damaged(programs.old):
        slot.put_image(programs.old)
        slot.put(data, at)
        with start(programs, slot) as board:
            board.started(LOADER)
            assert board.request(BOOT) == (WRONG_IMAGE, b"")


# Cuts


def test_at_every_byte_of_an_update_the_slot_holds_the_old_image_none_or_the_new(
    programs: Programs, slot: Slot
) -> None:
    old, new = random.Random(0).randbytes(1500), random.Random(1).randbytes(1202)
    found = []
    with start(programs, slot) as board:
        board.started(LOADER)
        load(board, old)
        for i, (kind, body) in enumerate(requests_of(new)):
            for byte in frame(kind, i, body):
                board.write(bytes([byte]))
                found.append(slot.image())
            assert board.expect(kind | 0x80, i) == bytes([OK])
            found.append(slot.image())
    assert found[0] == old
    assert found[-1] == new
    order = [image for i, image in enumerate(found) if i == 0 or found[i - 1] != image]
    assert order == [old, None, new]


def test_wherever_power_is_cut_a_whole_image_starts_or_the_loader(programs: Programs, slot: Slot) -> None:
    requests = requests_of(programs.new)
    rng = random.Random(0)
    for cut in (0, 1, *sorted(rng.sample(range(2, len(requests) - 1), 5)), len(requests) - 1, len(requests)):
        slot.put(bytes(SLOT_BYTES))
        slot.put_image(programs.old)
        with start(programs, slot) as board:
            board.started(MODEL)
            assert board.request(RESET, b"\x01") == (OK, b"")
            board.started(LOADER)
            for kind, body in requests[:cut]:
                assert board.request(kind, body) == (OK, b"")
            if cut < len(requests):
                whole = frame(requests[cut][0], 99, requests[cut][1])
                board.write(whole[: rng.randrange(len(whole))])
            board.cut_power()
        with start(programs, slot) as board:
            expected = {0: MODEL, len(requests): MODEL}.get(cut, LOADER)
            board.started(expected)
            if expected == MODEL:
                assert name_of(board) == ("old" if cut == 0 else "new")
            else:
                load(board, programs.new)
                assert board.request(BOOT) == (OK, b"")
                board.started(MODEL)


def test_a_cut_at_every_word_and_page_leaves_the_old_image_none_or_the_new(tmp_path: Path) -> None:
    macros = ("-DMCUQ_SLOT_ADDRESS=0x10000000u", "-DMCUQ_SLOT_BYTES=0x10000u", "-DMCUQ_PAGE_BYTES=1024u")
    sources = [ROOT / "tests/device/cut_slot.c", FIRMWARE / "slots/slot.c", FIRMWARE / "protocol/crc32.c"]
    program = compile_c(tmp_path / "cut_slot", sources, macros)
    rounds = 40
    ended = subprocess.run([str(program), str(rounds)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counts = re.fullmatch(r"(\d+) steps, (\d+) none, (\d+) old, (\d+) new\n", ended.stdout)
    assert counts is not None
    steps, none, old, new = map(int, counts.groups())
    assert steps == 3 + 351 + 4  # pages, words of the image and of the header
    assert none + old + new == rounds * (steps + 1)
    assert none >= rounds * (
        steps - 2
    )  # all but the first and the last, which may leave the header as it was or will be
    assert old >= 1
    assert new >= rounds
