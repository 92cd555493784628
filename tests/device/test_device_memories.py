"""Firmware whose arena lies in two memories of an emulated board: validated over its port, with all that the protocol
tells of the arena."""

from __future__ import annotations

import pytest
from golden.graphs import digits
from support import random_inputs

from mcuq.boards.find import load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.compile import Aim, CompiledModel, assemble_for
from mcuq.device.link import open_link
from mcuq.device.messages import Paint
from mcuq.device.session import Session
from mcuq.emulate.machine import Machine
from mcuq.lower import Placement
from mcuq.lower.memories import parse_memories
from mcuq.lower.placement import parse_fast
from mcuq.validate.device import DeviceReport, validate_device
from mcuq.validate.expected import Expected

pytestmark = pytest.mark.toolchain

# Bounds that divide the network's 2,920 bytes.
MEMORIES = {
    "mps2-an385": "ram:2500,psram:2500",
    "mps2-an386": "ram:1700,psram:1700",
    "mps2-an500": "ram:1700,psram:1700",
    "mps3-an547": "dtcm:1700,sram:1700",
}


def in_parts(board: str, push: bool = False) -> CompiledModel:
    model = assemble_for(
        digits(), load_board(board), "digits", Aim(push=push, memories=parse_memories(MEMORIES[board]))
    )
    assert len(model.arenas) == 2
    return model


def validated(model: CompiledModel) -> tuple[DeviceReport, bytes]:
    """The report of five samples on the model's emulated board, and what its painted arena holds then."""
    firmware = build_firmware(model)
    memory = model.board.program_memory
    assert memory is not None and firmware.ram_bytes <= memory.ram_bytes
    images = (build_loader(model.board), firmware) if model.board.loader else (firmware,)
    batches = iter([random_inputs(model.graph, 5)])
    with Machine(model.board, *images) as machine, open_link(machine.port) as link:
        session = Session(link)
        with Expected(model.graph, batches, model.as_given) as samples:
            report = validate_device(model, session, samples, "mcuq flash")
        session.marks(Paint.A5)
        return report, session.read_arena(0, model.arena_bytes)


@pytest.mark.parametrize("push", [False, True])
@pytest.mark.parametrize("board", [*MEMORIES])
def test_a_model_in_two_memories_validates(board: str, push: bool) -> None:
    model = in_parts(board, push)
    report, painted = validated(model)
    assert report.bit_exact
    assert report.samples == 5
    assert report.arena_bytes == model.arena_bytes
    assert painted == b"\xa5" * model.arena_bytes


@pytest.mark.parametrize(
    ("board", "fast", "memory"),
    [
        ("mps2-an386", "psram:2k", "ram:2000,psram:2000"),
        ("mps3-an547", "sram", ""),
        ("netduinoplus2", "ram:2k", ""),
        ("microbit-v1", "ram:2k", ""),
        ("riscv32-virt", "ram:2k", ""),
    ],
)
def test_constants_that_start_up_copies_are_those_of_the_model(board: str, fast: str, memory: str) -> None:
    """Validation reads them where the model does: the checksum is that of the copies."""
    placement, memories = Placement(fast=parse_fast(fast)), parse_memories(memory) if memory else ()
    aim = Aim(weights=placement, memories=memories)
    report, _ = validated(assemble_for(digits(), load_board(board), "digits", aim))
    assert report.bit_exact
    assert report.samples == 5
