"""Weights that a device takes over its port: two slots, of which one is always whole, and what is refused."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from device_model import BAD_ADDRESS, OK, WRONG_STATE, DeviceModel, ModelLink, toy
from golden.graphs import tiny
from host_board import FIRMWARE, PAGE_BYTES, ROOT, SLOT_ADDRESS, SLOT_BYTES, compile_c
from host_model import build_host_firmware, running
from support import model_of

from mcuq.artifact import save
from mcuq.boards.facts import Board, WeightSlots
from mcuq.boards.find import load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.cli import main
from mcuq.compile import CompiledModel, share_arena, with_placement
from mcuq.device.exchange import StatusError
from mcuq.device.link import open_link
from mcuq.device.messages import EraseWeights, Status, UseWeights, WriteWeights
from mcuq.device.session import Session
from mcuq.device.weights import update_weights
from mcuq.emit.weights import HEAD_BYTES
from mcuq.emulate.machine import Machine
from mcuq.errors import DeviceError, McuqError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.lower import Placement
from mcuq.ops.fully_connected import FullyConnected
from mcuq.validate.device import DeviceReport, validate_device
from mcuq.validate.expected import Expected

EXTERNAL = Placement("external")
SLOTS = WeightSlots(SLOT_ADDRESS, SLOT_BYTES // 2, PAGE_BYTES, "ram")


@cache
def trained(number: int, board: str = "host", width: int = 6) -> CompiledModel:
    """A float network with other weights for each number, of one program."""
    builder, rng = GraphBuilder("net"), np.random.default_rng(number)
    hidden = builder.input("x", (1, 8))
    for layer, (rows, columns) in enumerate([(width, 8), (300, width), (3, 300)]):
        values = (rng.normal(size=(rows, columns)), rng.normal(size=rows))
        own = [builder.constant(value.astype(np.float32), f"{layer}{i}") for i, value in enumerate(values)]
        hidden = builder.add(FullyConnected(), [hidden, *own], f"y{layer}", f"dense{layer}")
    builder.outputs.append(hidden)
    return with_placement(model_of(builder.graph(), board, "net"), EXTERNAL)


def samples_of(count: int) -> dict[str, Array]:
    return {"x": np.random.default_rng(count).normal(size=(count, 1, 8)).astype(np.float32)}


def blob_of(model: CompiledModel) -> bytes:
    assert model.blob is not None
    return model.blob


def on(board: str = "host") -> Board:
    return replace(load_board(board), weights=SLOTS)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_host_firmware(trained(0), tmp_path_factory.mktemp("weights"), takes_weights=True)


@contextmanager
def started(program: Path, flash: Path) -> Iterator[tuple[Session, subprocess.Popen[bytes]]]:
    with running(program, "--slot", str(flash)) as (port, process), open_link(port) as link:
        yield Session(link), process


def computes_with(session: Session, model: CompiledModel) -> bool:
    """Whether constants and outputs are the model's, of two samples."""
    inputs = samples_of(2)
    wanted = simulate(model.graph, inputs)["y2"]
    sent = [inputs["x"][i].tobytes() for i in range(2)]
    got = [inferred.outputs for inferred in session.infer_all(sent)]
    equal = [one == wanted[i].tobytes() for i, one in enumerate(got)]
    intact = session.checksum().crc == model.listing.constants_crc
    assert equal == [intact] * 2
    return intact


def report_of(session: Session, model: CompiledModel) -> DeviceReport:
    with Expected(model.graph, iter([samples_of(3)]), model.as_given) as samples:
        return validate_device(model, session, samples, "mcuq flash")


def refused(session: Session, request: EraseWeights | WriteWeights | UseWeights) -> Status:
    with pytest.raises(StatusError) as caught:
        session.request(request)
    return Status(caught.value.status)


def test_weights_of_one_program_differ_in_nothing_else() -> None:
    assert trained(0).files == trained(1).files
    assert trained(0).listing.digest == trained(1).listing.digest
    assert blob_of(trained(0)) != blob_of(trained(1))


def test_new_weights_are_used_at_once_and_after_power_has_gone(program: Path, tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    with started(program, flash) as (session, _):
        assert computes_with(session, trained(0))
        for number in (1, 2, 3, 1, 1):
            update_weights(trained(number), on(), session, "mcuq flash")
            assert computes_with(session, trained(number))
        session.reset()
        assert report_of(session, trained(1)).bit_exact
        with pytest.raises(DeviceError) as caught:
            report_of(session, trained(0))
        assert "the model's constants in the device's memory are not those of net.c" in str(caught.value)
    with started(program, flash) as (session, _):
        assert report_of(session, trained(1)).bit_exact
        update_weights(trained(2), on(), session, "mcuq flash")
        assert report_of(session, trained(2)).bit_exact


def test_where_the_newer_weights_are_damaged_the_older_are_used_and_then_the_programs(
    program: Path, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    with started(program, flash) as (session, _):
        for number in (1, 2):
            update_weights(trained(number), on(), session, "mcuq flash")
    for left in (1, 0):
        data = bytearray(flash.read_bytes())
        data[data.index(blob_of(trained(left + 1))) + 900] ^= 1
        flash.write_bytes(data)
        with started(program, flash) as (session, _):
            assert computes_with(session, trained(left))
    with started(program, flash) as (session, _):
        update_weights(trained(3), on(), session, "mcuq flash")
    with started(program, flash) as (session, _):
        assert computes_with(session, trained(3))


def test_another_programs_weights_are_refused_before_anything_is_erased(program: Path, tmp_path: Path) -> None:
    flash, other = tmp_path / "flash", blob_of(trained(1, width=7))
    with started(program, flash) as (session, _):
        for number in (1, 2):
            update_weights(trained(number), on(), session, "mcuq flash")
        before = flash.read_bytes()
        assert refused(session, EraseWeights(other[:HEAD_BYTES])) == Status.WRONG_IMAGE
        head = blob_of(trained(1))[:HEAD_BYTES]
        for at in range(HEAD_BYTES - 4):
            changed = bytes(byte ^ (i == at) for i, byte in enumerate(head))
            assert refused(session, EraseWeights(changed)) == Status.WRONG_IMAGE
        for n_bytes in (0, HEAD_BYTES - 1, HEAD_BYTES + 1):
            assert refused(session, EraseWeights((head + b"x")[:n_bytes])) == Status.BAD_LENGTH
        assert flash.read_bytes() == before
        assert computes_with(session, trained(2))


def test_what_is_not_whole_is_not_used(program: Path, tmp_path: Path) -> None:
    blob = blob_of(trained(1))
    damaged = blob[:700] + bytes([blob[700] ^ 1]) + blob[701:]
    with started(program, tmp_path / "flash") as (session, _):
        assert refused(session, WriteWeights(0, b"1234")) == Status.WRONG_STATE
        assert refused(session, UseWeights(len(blob), zlib.crc32(blob))) == Status.WRONG_IMAGE
        session.erase_weights(blob, PAGE_BYTES)
        assert refused(session, WriteWeights(len(blob), b"1234")) == Status.BAD_ADDRESS
        assert refused(session, WriteWeights(2, b"1234")) == Status.BAD_ADDRESS
        session.write_weights(blob[:-8])
        assert refused(session, UseWeights(len(blob), zlib.crc32(blob))) == Status.WRONG_IMAGE
        assert refused(session, UseWeights(0xFFFF_FFFF, 0)) == Status.BAD_ADDRESS
        assert computes_with(session, trained(0))
        session.erase_weights(blob, PAGE_BYTES)
        session.write_weights(damaged)
        assert refused(session, UseWeights(len(blob), zlib.crc32(damaged))) == Status.WRONG_IMAGE
        assert computes_with(session, trained(0))
        session.reset()
        assert computes_with(session, trained(0))
        session.erase_weights(blob, PAGE_BYTES)
        session.reset()
        assert refused(session, WriteWeights(0, b"1234")) == Status.WRONG_STATE


def test_a_paused_model_keeps_its_weights(program: Path, tmp_path: Path) -> None:
    blob, x = blob_of(trained(1)), samples_of(1)["x"].tobytes()
    with started(program, tmp_path / "flash") as (session, _):
        session.write_input(x)
        assert session.run(zlib.crc32(x), pause_after=0).is_paused
        for request in (
            EraseWeights(blob[:HEAD_BYTES]), WriteWeights(0, b"1234"), UseWeights(len(blob), zlib.crc32(blob))
        ):  # fmt: skip
            assert refused(session, request) == Status.WRONG_STATE
        update_weights(trained(1), on(), session, "mcuq flash")
        assert computes_with(session, trained(1))


def test_a_result_of_earlier_weights_is_none_of_the_new(program: Path, tmp_path: Path) -> None:
    x = samples_of(1)["x"].tobytes()
    with started(program, tmp_path / "flash") as (session, _):
        session.write_input(x)
        session.run(zlib.crc32(x))
        update_weights(trained(1), on(), session, "mcuq flash")
        with pytest.raises(StatusError) as caught:
            session.read_output(zlib.crc32(x))
        assert caught.value.status == Status.NO_RESULT


def test_wherever_power_is_cut_the_old_weights_are_used_or_the_new(program: Path, tmp_path: Path) -> None:
    """At each request, before it and after it; within them: the next test."""
    blob, flash = blob_of(trained(2)), tmp_path / "flash"
    parts = [WriteWeights(at, blob[at : at + 1020]) for at in range(0, len(blob), 1020)]
    requests = [EraseWeights(blob[:HEAD_BYTES]), *parts, UseWeights(len(blob), zlib.crc32(blob))]
    for done in range(len(requests) + 1):
        flash.unlink(missing_ok=True)
        with started(program, flash) as (session, process):
            update_weights(trained(1), on(), session, "mcuq flash")
            for request in requests[:done]:
                session.request(request)
            process.kill()
        with started(program, flash) as (session, _):
            assert computes_with(session, trained(2 if done == len(requests) else 1))


def test_a_cut_at_every_word_and_page_leaves_the_old_weights_or_the_new(tmp_path: Path) -> None:
    macros = (
        "-DMCUQ_WEIGHTS_ADDRESS=0x10000000u", "-DMCUQ_SLOT_BYTES=0x2000u", "-DMCUQ_PAGE_BYTES=1024u",
        "-DMCUQ_PAYLOAD_BYTES=1024",
    )  # fmt: skip
    own = [FIRMWARE / name for name in ("model/weights.c", "slots/slot.c", "protocol/crc32.c")]
    program = compile_c(tmp_path / "cut_weights", [ROOT / "tests/device/cut_weights.c", *own], macros)
    rounds = 10
    ended = subprocess.run([str(program), str(rounds)], capture_output=True, text=True, check=False, timeout=600)
    assert ended.returncode == 0, ended.stderr
    counts = re.fullmatch(r"(\d+) steps, (\d+) old, (\d+) new\n", ended.stdout)
    assert counts is not None
    steps, old, new = map(int, counts.groups())
    assert steps == 3 + 352 + 5  # pages, words of the weights and of the header
    assert old + new == rounds * (steps + 1)
    assert rounds <= new <= 2 * rounds  # the last step alone may leave the header as it will be


# The host's side


class WeightsDevice(DeviceModel):
    """docs/protocol.md in Python: a slot that is written, and one in use."""

    def power_on(self) -> None:
        super().power_on()
        self.slot: bytearray | None = None

    def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
        if type_ == 0x1A:
            self.slot = bytearray(b"\xff" * struct.unpack("<I", body[28:32])[0])
            return OK, b""
        if type_ == 0x1B:
            if self.slot is None:
                return WRONG_STATE, b""
            offset = struct.unpack("<I", body[:4])[0]
            if offset + len(body) - 4 > len(self.slot):
                return BAD_ADDRESS, b""
            self.slot[offset : offset + len(body) - 4] = body[4:]
            return OK, b""
        if type_ == 0x1C:
            if self.slot is None:
                return WRONG_STATE, b""
            assert struct.unpack("<II", body) == (len(self.slot), zlib.crc32(self.slot))
            self.used = bytes(self.slot)
            return OK, b""
        return super().carry_out(type_, sequence, body)


def weights_device(**given: object) -> WeightsDevice:
    network = replace(toy(), digest=trained(0).listing.digest)
    return WeightsDevice(network, payload_bytes=1024, flags=32, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("when", ["resets_at", "resets_after"])
def test_a_reset_at_every_request_of_an_update_is_repaired(when: str) -> None:
    good = weights_device()
    link = ModelLink(good)
    update_weights(trained(1), on(), Session(link, link.clock), "mcuq flash")
    assert good.used == blob_of(trained(1))
    assert len(good.requests) > 10
    for number in range(len(good.requests)):
        device = weights_device(**{when: frozenset([number])})
        link = ModelLink(device)
        update_weights(trained(1), on(), Session(link, link.clock), "mcuq flash")
        assert device.used == blob_of(trained(1)), number


def refusal(model: CompiledModel, board: Board, device: DeviceModel | None = None) -> str:
    link = ModelLink(device or weights_device())
    with pytest.raises(McuqError) as caught:
        update_weights(model, board, Session(link, link.clock), "mcuq flash DIR --port model")
    return str(caught.value)


def test_what_takes_no_weights_is_told() -> None:
    assert refusal(model_of(tiny(), "host", "tiny"), on()) == (
        "model 'tiny': has its weights in the program; compile it with --weights external, and flash that once without "
        "--weights"
    )
    assert refusal(trained(0), load_board("host")) == (
        "board 'host': has no slots for weights; give its file a [weights] table, or flash the firmware with the "
        "weights in it, without --weights"
    )
    small = replace(on(), weights=replace(SLOTS, slot_bytes=2 * PAGE_BYTES))
    assert refusal(trained(0), small) == (
        f"model 'net': has {len(blob_of(trained(0))):,} bytes of weights, a slot of host holds more than 64 and at "
        "most 4,096; flash the firmware with the weights in it, without --weights"
    )
    own = f"these weights are for 'net' {trained(0).listing.digest:08x}; flash it: mcuq flash DIR --port model"
    assert refusal(trained(0), on(), DeviceModel(toy())) == f"model: device runs model 'toy' 0badcafe, {own}"
    device = weights_device()
    device.flags = 0
    assert refusal(trained(0), on(), device) == (
        "model: the device's firmware takes no weights; flash it: mcuq flash DIR --port model"
    )


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def test_weights_are_sent_over_the_port_alone(tmp_path: Path) -> None:
    save(trained(0, "mps2-an386"), tmp_path)
    for option in (("--loader",), ("--method", "mcuq-loader")):
        result = call("flash", str(tmp_path), "--port", "x", "--weights", *option)
        assert result.exit_code == 2
        assert f"{option[0]}: does not go with --weights, which is sent over the serial port" in result.stderr
    models = share_arena([model_of(tiny(), "mps2-an386", "a"), model_of(tiny(), "mps2-an386", "b")])
    for model in models:
        save(model, tmp_path / "both")
    result = call("flash", str(tmp_path / "both"), "--port", "x", "--weights")
    assert result.stderr.strip() == (
        "error: --weights: firmware of several models takes none; flash them all, without --weights"
    )


@pytest.mark.toolchain
def test_an_emulated_board_takes_weights(tmp_path: Path) -> None:
    first, second = trained(0, "mps2-an386"), trained(1, "mps2-an386")
    assert first.files == second.files
    save(second, tmp_path)
    with Machine(first.board, build_loader(first.board), build_firmware(first)) as machine:
        result = call("flash", str(tmp_path), "--weights", "--port", machine.port, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["bytes"] == len(blob_of(second))
        for _ in range(2):
            result = call("validate", str(tmp_path), "--port", machine.port, "--samples", "3", "--json")
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout)["bit_exact"]
            machine.reset()
