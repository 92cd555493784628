"""mcuq validate on emulated boards: the firmware on QEMU's machine, over a real pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from golden.graphs import digits
from support import model_of, random_inputs

from mcuq.artifact import save
from mcuq.boards.find import board_names, load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.cli import main
from mcuq.compile import CompiledModel
from mcuq.device.link import open_link
from mcuq.device.session import Session
from mcuq.emulate.machine import Machine
from mcuq.resources import resource_dir
from mcuq.validate.device import validate_device
from mcuq.validate.expected import Expected

pytestmark = pytest.mark.toolchain

MACHINES = [name for name in board_names() if load_board(name).qemu is not None]
TEST_DATA = resource_dir("examples") / "digits" / "digits_test.npz"


@contextmanager
def machine_with(model: CompiledModel) -> Iterator[Machine]:
    """The model's board with the model on it."""
    firmware = build_firmware(model)
    images = (build_loader(model.board), firmware) if model.board.loader else (firmware,)
    with Machine(model.board, *images) as machine:
        yield machine


@pytest.mark.parametrize("board", MACHINES)
def test_digits_validates_on_every_emulated_board(board: str, tmp_path: Path) -> None:
    model = model_of(digits(), board, "digits")
    save(model, tmp_path)
    with machine_with(model) as machine:
        arguments = ["validate", str(tmp_path), "--port", machine.port, "--data", str(TEST_DATA), "--json"]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"], found["board"]) == (500, 0, board)
    assert found["emulated"]
    assert found["arena_bytes"] == model.arena_bytes
    assert found["stack_bytes"] > 0
    assert len(found["layers"]) == len([layer for layer in model.graph.layers() if not layer.op.is_view])
    # 64 and 10 bytes of payload, 8 of frame each way, status and cycles.
    line_bytes = found["sent_bytes"] + found["received_bytes"]
    assert line_bytes == 64 + 8 + 10 + 8 + 5 or found["repeats"] > 0


def test_a_fleet_of_emulated_boards_validates_in_parallel(tmp_path: Path) -> None:
    model = model_of(digits(), "mps2-an386", "digits")
    save(model, tmp_path)
    with machine_with(model) as first, machine_with(model) as second:
        ports = ["--port", first.port, "--port", second.port]
        arguments = ["validate", str(tmp_path), *ports, "--data", str(TEST_DATA), "--samples", "100", "--json"]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"], found["failed"]) == (200, 0, 0)
    assert [device["port"] for device in found["devices"]] == [first.port, second.port]


def test_the_reset_button_in_the_middle_is_repaired() -> None:
    model = model_of(digits(), "mps2-an386", "digits")
    done = 0
    with machine_with(model) as machine, open_link(machine.port) as link:

        def tick() -> None:
            nonlocal done
            done += 1
            if done in (5, 30, 31, 99):
                machine.reset()

        batches = iter([random_inputs(model.graph, 100)])
        with Expected(model.graph, batches) as samples:
            report = validate_device(model, Session(link), samples, "mcuq flash", tick)
    assert report.bit_exact
    assert (report.samples, done) == (100, 100)
    assert report.starts + report.repeats >= 3
