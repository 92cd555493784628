"""Frames and messages: bytes in, bytes out."""

from __future__ import annotations

import random
import struct
import subprocess
import sys

import pytest
from device_model import DeviceModel, frame, uncobs
from hypothesis import given
from hypothesis import strategies as st

from mcuq.device import extra, messages
from mcuq.device.messages import (
    Ability,
    Checksum,
    Constants,
    Echo,
    Hello,
    Infer,
    Marks,
    ProtocolVersion,
    ReadArena,
    Request,
    Role,
    Run,
    RunSelfTest,
    WriteInput,
)
from mcuq.device.protocol import LONGEST_FRAME, Damage, Decoder, Frame, encode, wire_bytes
from mcuq.errors import DeviceError

BODIES = [
    bytes(random.Random(n).choices(range(first, 256), k=n))
    for n in [*range(12), *range(244, 252), 253, 254, 255, 500, 508, 1024]
    for first in (0, 1)
]


def test_a_frame_is_what_the_specification_says() -> None:
    # CRC-32 of 01 07 is 0xC6A6B61D: no zero, so one COBS block of 6 bytes.
    assert encode(0x01, 0x07) == bytes.fromhex("07 01 07 1d b6 a6 c6 00")


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{len(body)} bytes from {min(body, default=0)}")
def test_frames_are_those_of_the_other_side(body: bytes) -> None:
    sent = encode(0x11, 0x80, body)
    assert sent.count(0) == 1
    assert uncobs(sent[:-1]) == uncobs(frame(0x11, 0x80, body)[:-1])
    assert Decoder().feed(frame(0x11, 0x80, body)) == [Frame(0x11, 0x80, body)]
    assert len(sent) <= wire_bytes(len(body))
    if 0 not in sent[:-1]:
        assert len(sent) >= wire_bytes(len(body)) - 2


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_stream_may_arrive_in_parts_of_any_length(step: int) -> None:
    frames = [Frame(n % 120 + 1, n, body) for n, body in enumerate(BODIES)]
    stream = b"".join(b"\0" * (f.sequence % 3) + encode(f.type, f.sequence, f.body) for f in frames)
    decoder = Decoder()
    found = [f for start in range(0, len(stream), step) for f in decoder.feed(stream[start : start + step])]
    assert found == frames
    assert decoder.partial_bytes == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x05ab", "not COBS"),
        (b"\x03ab", "too short"),
        (b"\x06abcde", "too short"),
        (b"\x07abcdef", "wrong CRC"),
        (b"\x01" * (LONGEST_FRAME + 1), "too long"),
    ],
)
def test_what_is_no_frame_is_told_with_its_reason_and_the_next_frame_arrives(data: bytes, reason: str) -> None:
    decoder = Decoder()
    assert decoder.feed(data + b"\0" + encode(1, 2, b"x")) == [Damage(reason, len(data)), Frame(1, 2, b"x")]


@given(st.binary(max_size=600))
def test_no_bytes_before_a_delimiter_hide_the_frame_behind_it(noise: bytes) -> None:
    found = Decoder().feed(noise + b"\0" + encode(1, 2, b"x"))
    assert found[-1] == Frame(1, 2, b"x")
    assert all(isinstance(f, Damage) for f in found[:-1])


def test_noise_without_end_takes_no_memory_without_end() -> None:
    decoder = Decoder()
    for _ in range(40):
        assert decoder.feed(b"\x55" * 100_000) == []
    assert decoder.partial_bytes == 4_000_000
    assert len(decoder._partial) == LONGEST_FRAME
    assert decoder.feed(b"\0" + encode(3, 4)) == [Damage("too long", 4_000_000), Frame(3, 4, b"")]


def test_every_request_has_a_type_and_a_name_of_the_specification() -> None:
    kinds = [
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Request) and hasattr(kind, "type")
    ]
    named = {kind.type: kind.name.fget(object.__new__(kind)) for kind in kinds}  # type: ignore[attr-defined]
    assert named == {
        0x01: "HELLO",
        0x02: "ECHO",
        0x03: "SELF_TEST",
        0x04: "RESET",
        0x10: "INFER",
        0x11: "WRITE_INPUT",
        0x12: "RUN",
        0x13: "READ_OUTPUT",
        0x14: "READ_ARENA",
        0x15: "CONTINUE",
        0x16: "LAYER_CYCLES",
        0x17: "MARKS",
        0x18: "CHECKSUM",
        0x1A: "ERASE_WEIGHTS",
        0x1B: "WRITE_WEIGHTS",
        0x1C: "USE_WEIGHTS",
        0x20: "ERASE",
        0x21: "WRITE",
        0x22: "COMMIT",
        0x23: "BOOT",
    }


def test_bodies_of_requests() -> None:
    assert WriteInput(0x01020304, b"xy").pack() == bytes.fromhex("04030201 7879")
    assert Run(0xA1B2C3D4, 5).pack() == bytes.fromhex("0500 00 0000 d4c3b2a1")
    assert Run(0xA1B2C3D4, 1, 0x0102).pack() == bytes.fromhex("0100 01 0201 d4c3b2a1")
    assert messages.Continue().pack() == bytes.fromhex("00 0000")
    assert messages.Continue(3).pack() == bytes.fromhex("01 0300")
    assert messages.ReadOutput(1, 2, 3).pack() == bytes.fromhex("01000000 02000000 0300")
    assert ReadArena(2, 3).pack() == bytes.fromhex("02000000 0300")
    assert messages.LayerCycles(7, 2).pack() == bytes.fromhex("0700 0200")
    assert Marks(messages.Paint.INVERSE).pack() == b"\x02"
    assert messages.Reset(stay_in_loader=True).pack() == b"\x01"
    assert messages.Erase(0x10).pack() == bytes.fromhex("10000000")
    assert messages.Write(4, b"zz").pack() == bytes.fromhex("04000000 7a7a")
    assert messages.Commit(1, 2).pack() == bytes.fromhex("01000000 02000000")
    assert Hello().pack() == Checksum().pack() == messages.Boot().pack() == b""


def test_hello_tells_of_a_model() -> None:
    device = DeviceModel(payload_bytes=200, window_bytes=300, flags=7)
    info = Hello().unpack(device.hello())
    assert isinstance(info, messages.DeviceInfo)
    assert (info.role, info.payload_bytes, info.window_bytes, info.clock_hz) == (Role.MODEL, 200, 300, 16_000_000)
    assert info.abilities == Ability.KEEPS_INPUT | Ability.COUNTS_CYCLES | Ability.EMULATED
    assert (info.digest, info.input_bytes, info.output_bytes, info.arena_bytes) == (0x0BADCAFE, 6, 4, 20)
    assert (info.layers, info.board, info.model, info.build) == (3, "paper", "toy", "paper -O2")
    assert info.slot_bytes == 0


def test_hello_tells_of_a_loader() -> None:
    body = struct.pack("<BBHHBBI5IH", 1, 1, 64, 0, 0, 0, 9, 10, 11, 12, 13, 14, 0) + b"\x01b\0\x01c"
    info = Hello().unpack(body)
    assert isinstance(info, messages.DeviceInfo)
    assert (info.role, info.slot_address, info.slot_bytes, info.page_bytes) == (Role.LOADER, 10, 11, 12)
    assert (info.image_bytes, info.image_crc, info.digest, info.board, info.model, info.build) == (
        13,
        14,
        0,
        "b",
        "",
        "c",
    )


def test_hello_of_another_version_is_read_no_further() -> None:
    assert Hello().unpack(bytes((2, 9, 9, 9))) == ProtocolVersion(2)


@pytest.mark.parametrize(
    ("request_", "body", "text"),
    [
        (Hello(), b"\x01", "answer to HELLO has 1 bytes, at least 34 were expected"),
        (Hello(), bytes((1, 5)) + bytes(40), "answer to HELLO states role 5, known are 0 (model) and 1 (loader)"),
        (Hello(), b"\x01\0\x3f" + bytes(31), "answer to HELLO states frames of 63 bytes, at least 64 are due"),
        (Hello(), b"\x01\0\x40" + bytes(31) + b"\x02ab\x03", "answer to HELLO ends within the model's name"),
        (Echo(b"ab"), b"ba", "answer to ECHO has other bytes than the request: 6261"),
        (RunSelfTest(), b"", "answer to SELF_TEST has 0 bytes, not 4"),
        (Infer(b"", 3), b"1234567890", "answer to INFER has 10 bytes, not 7"),
        (Run(0), b"123", "answer to RUN has 3 bytes, not 5"),
        (ReadArena(0, 2), b"1", "answer to READ_ARENA has 1 bytes, not 2"),
        (messages.LayerCycles(0, 2), b"1234", "answer to LAYER_CYCLES has 4 bytes, not 8"),
        (WriteInput(0, b""), b"?", "answer to WRITE_INPUT has 1 bytes, not 0"),
    ],
    ids=lambda value: value.name if isinstance(value, Request) else None,
)
def test_an_answer_of_another_form_is_an_error(request_: Request[object], body: bytes, text: str) -> None:
    with pytest.raises(DeviceError) as caught:
        request_.unpack(body)
    assert str(caught.value) == text


def test_answers_are_read() -> None:
    assert Infer(b"", 2).unpack(bytes.fromhex("01020000 8001")) == messages.Inferred(0x201, b"\x80\x01")
    assert Run(0).unpack(bytes.fromhex("01 05000000")) == messages.Ran(True, 5)
    assert messages.Continue().unpack(bytes.fromhex("00 06000000")) == messages.Ran(False, 6)
    assert Marks().unpack(bytes.fromhex("01000000 02000000")) == messages.HighWater(1, 2)
    assert Checksum().unpack(bytes.fromhex("01000000 02000000")) == Constants(1, 2)
    assert messages.LayerCycles(0, 2).unpack(bytes.fromhex("01000000 02000000")) == (1, 2)
    assert RunSelfTest().unpack(bytes.fromhex("05000000")) == messages.SelfTest.CRC | messages.SelfTest.ARITHMETIC


@pytest.mark.parametrize(("module", "package"), [("serial", "pyserial"), ("cobs.cobs", "cobs")])
def test_a_missing_package_is_told_with_how_to_get_it(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra.import_extra.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    try:
        with pytest.raises(DeviceError) as caught:
            extra.import_extra(module)
    finally:
        extra.import_extra.cache_clear()
    assert str(caught.value) == f"devices need the package {package}; pip install 'mcuq[device]'"


def test_mcuq_is_imported_without_the_packages_that_devices_need() -> None:
    code = (
        "import sys; sys.modules['serial'] = sys.modules['cobs'] = None; "
        "import mcuq.cli, mcuq.device.session, mcuq.device.link, mcuq.device.recorder, mcuq.validate.fleet"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
