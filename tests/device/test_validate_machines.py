"""mcuq validate on emulated boards: the firmware on QEMU's machine, over a real pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from golden.graphs import digits
from state_models import recurrent, sequences
from support import model_of, random_inputs

from mcuq.artifact import save
from mcuq.boards.find import board_names, load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.cli import main
from mcuq.compile import CompiledModel, compile_model
from mcuq.device.link import open_link
from mcuq.device.session import Session
from mcuq.emulate.machine import Machine
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, ChannelQuant
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import quantize_on_samples
from mcuq.resources import resource_dir
from mcuq.validate.device import validate_device
from mcuq.validate.expected import Expected

pytestmark = pytest.mark.toolchain

MACHINES = [name for name in board_names() if load_board(name).qemu is not None]
FEATURES = np.array([1.0, 10.0, 100.0, 100_000.0])
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
    assert len(found["layers"]) == len(model.coded_layers)
    # 64 and 10 bytes of payload, 8 of frame each way, status and cycles.
    line_bytes = found["sent_bytes"] + found["received_bytes"]
    assert line_bytes == 64 + 8 + 10 + 8 + 5 or found["repeats"] > 0


def of_raw_features_and_joined_parts() -> Graph:
    """Features of 1, 10, 100 and 100,000, and an output of two parts, 1,000 apart."""
    builder, rng = GraphBuilder("net"), np.random.default_rng(2)

    def dense(x: str, weight: Array, name: str) -> str:
        constants = [weight.astype(np.float32), rng.normal(size=len(weight)).astype(np.float32)]
        return builder.add(FullyConnected(), [x, *(builder.constant(value) for value in constants)], name, name)

    hidden = dense(builder.input("x", (1, 4)), rng.normal(size=(8, 4)) / FEATURES, "hidden")
    parts = [dense(hidden, rng.normal(size=(3, 8)) * size, name) for name, size in (("a", 1), ("b", 1000))]
    builder.outputs.append(builder.add(Concat(1), parts, "y", "y"))
    return builder.graph()


def test_scales_per_channel_of_inputs_and_outputs_are_those_of_the_device(tmp_path: Path) -> None:
    values = (np.random.default_rng(3).normal(size=(80, 1, 4)) * FEATURES).astype(np.float32)
    graph = quantize_on_samples(of_raw_features_and_joined_parts(), [{"x": x} for x in values[:60]]).graph
    assert all(isinstance(graph.tensors[name].quant, ChannelQuant) for name in ("x", "y"))
    model = model_of(graph, "mps2-an386", "parts")
    save(model, tmp_path)
    np.savez(tmp_path / "data.npz", x=values)
    with machine_with(model) as machine:
        arguments = ["validate", str(tmp_path), "--port", machine.port, "--data", str(tmp_path / "data.npz"), "--json"]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["samples"], found["mismatches"]) == (80, 0)


def test_states_go_on_on_the_device(tmp_path: Path) -> None:
    """The board is reset in between: each call comes with the state that is before it."""
    data = sequences(2, 8)
    states = {"h": "h_out", "c": "c_out"}
    model = compile_model(recurrent("LSTM"), "mps2-an386", data, "listener", states=states, judged=False)
    save(model, tmp_path)
    np.savez(tmp_path / "data.npz", x=data)
    with machine_with(model) as machine:
        arguments = ["validate", str(tmp_path), "--port", machine.port, "--data", str(tmp_path / "data.npz"), "--json"]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        machine.reset()
        again = CliRunner().invoke(main, [*arguments[:-3], "--json"], catch_exceptions=False)
    for found in (json.loads(result.stdout), json.loads(again.stdout)):
        assert (found["mismatches"], found["first_layer"]) == (0, None)
        assert found["compared_bytes"] == found["samples"] * (3 + model.listing.state_bytes)
        assert len(found["layers"]) == len(model.coded_layers)


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
