"""Firmware whose model takes its input row by row: written in parts, computed meanwhile, on boards that it would not
fit."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from host_board import HostBoard, read_hello
from host_model import build_host_firmware, running
from pair_model import (
    BAD_ADDRESS,
    DONE,
    HELLO,
    MARKS,
    MODEL,
    OK,
    READ_OUTPUT,
    RUN,
    UNSUPPORTED,
    WRITE_INPUT,
    WRONG_INPUT,
    WRONG_STATE,
    run,
    run_body,
    write_input,
)
from support import model_of, random_inputs, with_ranges

from mcuq.boards.find import load_board
from mcuq.build.firmware import build_firmware
from mcuq.build.firmware_source import model_sources
from mcuq.compile import CompiledModel
from mcuq.emulate.machine import emulate
from mcuq.errors import BoardError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.validate.fleet import validate_port

TAKES_ROWS = 16


def network(size: int = 16, board: str = "cortex-m4", push: bool = True) -> CompiledModel:
    """Channels first, of size x size pixels: rows of 3 * size bytes."""
    builder = GraphBuilder("image")
    x = builder.add(Transpose((0, 2, 3, 1)), [builder.input("x", (1, 3, size, size))])
    rng = np.random.default_rng(0)
    for stride, channels in ((4, 4), (1, 3)):
        weight = rng.normal(0, 0.3, (channels, 3, 3, builder.tensors[x].shape[3])).astype(np.float32)
        constants = [builder.constant(weight, "w"), builder.constant(np.zeros(channels, np.float32), "b")]
        x = builder.add(Conv2d(Window((3, 3), (stride, stride), (1, 1, 1, 1))), [x, *constants])
    x = builder.add(MaxPool(Window((2, 2), (2, 2))), [x], name="pool")
    builder.outputs.append(builder.add(Mean((1, 2)), [x]))
    return model_of(with_ranges(builder.graph()), board, push=push)


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return network()


@pytest.fixture(scope="module")
def program(model: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_host_firmware(model, tmp_path_factory.mktemp("rows"), payload_bytes=192)


def pair(model: CompiledModel, seed: int = 0) -> tuple[bytes, bytes]:
    """An input as the device takes it, and the output."""
    batch = random_inputs(model.graph, 3, seed)
    (given,) = (values[2] for values in model.as_given(batch).values())
    (output,) = (values[2] for values in simulate(model.graph, batch).values())
    return np.ascontiguousarray(given).tobytes(), output.tobytes()


def read(board: HostBoard, x: bytes, n_bytes: int) -> tuple[int, bytes]:
    return board.request(READ_OUTPUT, struct.pack("<IIH", zlib.crc32(x), 0, n_bytes))


def part(x: bytes, first: int, end: int) -> bytes:
    return struct.pack("<I", first) + x[first:end]


def test_each_input_gives_the_simulators_bits_and_cycles(model: CompiledModel, program: Path) -> None:
    with running(program) as (port, _):
        report = validate_port(model, iter([random_inputs(model.graph, 6)]), port, 115_200, "mend")
    assert report.bit_exact, report.first_mismatch
    assert report.samples == 6
    assert report.cycles is not None
    assert [layer.name for layer in report.layers] == [layer.name for layer, _ in model.coded_layers]
    assert 0 < report.layers[0].cycles <= report.cycles
    assert 0 < report.arena_bytes <= model.arena_bytes


def test_the_first_wrong_layer_is_found(model: CompiledModel, tmp_path: Path) -> None:
    (name,) = (listed.calls[0].function for layer, listed in model.coded_layers if layer.name == "pool")

    def spoiled(text: str) -> str:
        """One byte of its output is another behind the last call of the layer."""
        head, call, rest = text.rpartition(f"    {name}(")
        line, end, rest = rest.partition(");\n")
        place = line.rsplit(", ", 1)[1]
        return f"{head}{call}{line}{end}    ({place})[0] ^= 1;\n{rest}" if call else text

    listed = next(listed for layer, listed in model.coded_layers if layer.name == "pool")
    assert listed.output_offset is not None
    with running(build_host_firmware(model, tmp_path, 192, change=spoiled)) as (port, _):
        report = validate_port(model, iter([random_inputs(model.graph, 2)]), port, 115_200, "mend")
    assert report.mismatches > 0
    assert report.first_layer is not None
    assert report.first_layer.layer == "pool"


def test_parts_of_any_size_come_in_their_order(model: CompiledModel, program: Path) -> None:
    x, y = pair(model)
    with HostBoard(program) as board:
        board.started(MODEL)
        assert read_hello(board.request(HELLO)).flags & TAKES_ROWS
        for chunk in (1, 47, 48, 49, 100, 188):
            write_input(board, x, chunk)
            assert run(board, x) == DONE
            assert read(board, x, len(y)) == (OK, y)
        assert board.request(WRITE_INPUT, part(x, 0, 100)) == (OK, b"")
        assert board.request(WRITE_INPUT, part(x, 101, 150)) == (BAD_ADDRESS, b"")
        assert board.request(WRITE_INPUT, part(x, 50, 101)) == (BAD_ADDRESS, b"")
        assert board.request(WRITE_INPUT, part(x, 100, 200)) == (OK, b"")
        assert board.request(WRITE_INPUT, part(x, len(x), len(x) + 1) + b"x") == (BAD_ADDRESS, b"")


def test_a_repeat_of_the_last_part_is_taken_once(model: CompiledModel, program: Path) -> None:
    x, y = pair(model, 1)
    with HostBoard(program) as board:
        board.started(MODEL)
        for number, first in enumerate(range(0, len(x), 150)):
            for _ in range(3):
                assert board.request(WRITE_INPUT, part(x, first, min(first + 150, len(x))), number) == (OK, b"")
        assert run(board, x) == DONE
        assert read(board, x, len(y)) == (OK, y)


def test_an_input_may_be_begun_anew_anywhere(model: CompiledModel, program: Path) -> None:
    (x, y), (other, _) = pair(model, 2), pair(model, 3)
    with HostBoard(program) as board:
        board.started(MODEL)
        for end in (1, 49, 180):
            assert board.request(WRITE_INPUT, part(other, 0, end)) == (OK, b"")
            write_input(board, x, 180)
            assert run(board, x) == DONE
            assert read(board, x, len(y)) == (OK, y)


def test_an_input_runs_once(model: CompiledModel, program: Path) -> None:
    x, y = pair(model, 4)
    with HostBoard(program) as board:
        board.started(MODEL)
        assert board.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
        write_input(board, x[:-1], 150)
        assert board.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
        assert board.request(WRITE_INPUT, part(x, len(x) - 1, len(x))) == (OK, b"")
        assert board.request(RUN, run_body(x, count=2)) == (UNSUPPORTED, b"")
        assert board.request(RUN, run_body(x[1:])) == (WRONG_INPUT, b"")
        assert run(board, x) == DONE
        assert board.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
        assert read(board, x, len(y)) == (OK, y)
        write_input(board, x, 150)
        assert board.request(MARKS, b"\x01")[0] == OK  # paints the arena, with the rows in it
        assert board.request(RUN, run_body(x)) == (WRONG_INPUT, b"")
        write_input(board, x, 150)
        assert board.request(RUN, run_body(x, flags=1, layer=0))[1][0] == 1
        assert board.request(WRITE_INPUT, part(x, 0, 9)) == (WRONG_STATE, b"")


@pytest.mark.slow
def test_a_board_takes_an_input_that_its_ram_does_not_hold() -> None:
    board = load_board("microbit-v1")
    assert board.memory is not None
    assert board.memory.ram_bytes < 3 * 96 * 96
    with pytest.raises(BoardError):
        network(96, "microbit-v1", push=False)
    model = network(96, "microbit-v1")
    firmware = build_firmware(model)
    assert firmware.ram_bytes < board.memory.ram_bytes
    assert firmware.window_bytes == 0
    with emulate(model) as machine:
        report = validate_port(model, iter([random_inputs(model.graph, 3)]), machine.port, 115_200, "mend")
    assert report.bit_exact, report.first_mismatch


def test_one_row_is_kept_beside_the_arena(model: CompiledModel) -> None:
    joined = model_sources(model, keeps_input=True)["mcuq_joined.c"]
    assert "static int32_t row[12];" in joined
    assert "kept_input[" not in joined
