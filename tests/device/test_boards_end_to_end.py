"""Every emulated board from its empty state: flash over its pseudo-terminal, then compare every byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
from golden.graphs import digits
from reference_cases import case
from selections import quick
from support import model_of, random_inputs, with_ranges

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.build.firmware import build_firmware, build_loader
from mcuq.compile import (
    CompiledModel,
    QuantizedModel,
    compile_model,
    compile_quantized,
    dataset_for,
    quantize_model,
    with_placement,
)
from mcuq.device.flash import flash_method
from mcuq.device.link import open_link
from mcuq.device.messages import Role
from mcuq.device.session import Session
from mcuq.emulate.machine import Machine
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.lower import Goal, Placement
from mcuq.ops.add import Add
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.mean import Mean
from mcuq.ops.window import Window
from mcuq.quantize import LayerScheme, Scheme
from mcuq.resources import resource_dir
from mcuq.validate import integer_batches
from mcuq.validate.device import DeviceReport
from mcuq.validate.fleet import validate_port

pytestmark = pytest.mark.toolchain

EMULATED = [name for name in board_names() if load_board(name).qemu is not None]
WITH_LOADER = [name for name in EMULATED if load_board(name).loader is not None]
# The others have less RAM than the network's arena.
FOR_KWS = [name for name in WITH_LOADER if name != "microbit-v1"]


def residual() -> Graph:
    """Two residual blocks of 3 x 3 convolutions, as ResNet has them, and a mean over the image."""
    rng = np.random.default_rng(5)
    builder = GraphBuilder("residual")

    def conv(x: str, channels: int, name: str, minimum: float = -np.inf) -> str:
        inputs = builder.tensors[x].shape[3]
        weight = builder.constant(rng.normal(0, 0.4, (channels, 3, 3, inputs)).astype(np.float32), f"{name}_weight")
        bias = builder.constant(rng.normal(0, 0.2, channels).astype(np.float32), f"{name}_bias")
        return builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1)), minimum=minimum), [x, weight, bias], name=name)

    x = conv(builder.input("x", (1, 10, 9, 3)), 8, "stem", 0.0)
    for block in ("first", "second"):
        branch = conv(conv(x, 8, f"{block}_a", 0.0), 8, f"{block}_b")
        x = builder.add(Add(minimum=0.0), [x, branch], name=f"{block}_sum")
    builder.outputs.append(builder.add(Mean((1, 2)), [x], "y", "mean"))
    return with_ranges(builder.graph())


MODELS = {"digits": digits, "residual": residual}


@contextmanager
def flashed(model: CompiledModel, board: Board) -> Iterator[Machine]:
    """The board after a start with the loader alone and a flash, or with the firmware where it has no loader."""
    if board.loader is None:
        with Machine(board, build_firmware(model)) as machine:
            yield machine
        return
    with Machine(board, build_loader(board)) as machine:
        flash_method(board).flash(build_firmware(model), machine.port)
        yield machine


def validated(model: CompiledModel, machine: Machine, batches: Iterator[Mapping[str, Array]]) -> DeviceReport:
    """What `mcuq validate` shows; the rate of a pseudo-terminal is nobody's."""
    return validate_port(model, batches, machine.port, 115_200, "flash it again")


@pytest.mark.parametrize("network", MODELS)
@pytest.mark.parametrize("name", EMULATED)
def test_a_model_flashed_to_an_empty_board_computes_the_simulators_bits(name: str, network: str) -> None:
    board = load_board(name)
    model = model_of(MODELS[network](), board, network)
    with flashed(model, board) as machine:
        report = validated(model, machine, iter([random_inputs(model.graph, 20)]))
    assert report.bit_exact, report.first_mismatch
    assert report.samples == report.exact_samples == 20
    assert report.weights_intact
    assert report.board == name
    assert report.emulated
    assert report.cycles is not None
    assert len(report.layers) == len(model.coded_layers)
    assert 0 < report.stack_bytes < 1024
    assert 0 < report.arena_bytes <= model.arena_bytes


@cache
def quantized_kws() -> QuantizedModel:
    """The keyword spotter with real calibration inputs."""
    return quantize_model(case("kws").onnx, case("kws").x_calibration)


def kws(board: Board) -> CompiledModel:
    """It for a board; for flash where the board is short of it."""
    goal: Goal = "size" if board.name == "lm3s6965evb" else "balanced"
    return compile_quantized(quantized_kws(), board, "kws", optimize=goal)


def kws_batches(model: CompiledModel, samples: int) -> Iterator[Mapping[str, Array]]:
    """Real recordings as int8."""
    return integer_batches(model.graph, dataset_for(model.graph, case("kws").x[:samples]))


@pytest.mark.reference
@pytest.mark.parametrize("name", FOR_KWS)
def test_the_keyword_spotter_computes_the_simulators_bits(name: str) -> None:
    samples = 900 if name == "mps2-an386" else 20
    model = kws(load_board(name))
    with flashed(model, model.board) as machine:
        report = validated(model, machine, kws_batches(model, samples))
    assert report.bit_exact, report.first_mismatch
    assert report.samples == samples
    assert report.sent_bytes + report.received_bytes <= 1.2 * (490 + 12)


@pytest.mark.reference
def test_a_residual_network_of_the_reference_set_computes_the_simulators_bits() -> None:
    found = case("ic")
    model = compile_model(found.onnx, "mps2-an386", found.x_calibration[:20], name="ic")
    with flashed(model, model.board) as machine:
        report = validated(model, machine, integer_batches(model.graph, dataset_for(model.graph, found.x[:3])))
    assert report.bit_exact, report.first_mismatch
    assert report.samples == 3


def test_another_model_takes_the_place_of_one_that_runs_and_outlives_the_reset_button() -> None:
    board = load_board("mps2-an386")
    first, second = model_of(digits(), board, "digits"), model_of(residual(), board, "residual")
    with Machine(board, build_loader(board), build_firmware(first)) as machine:
        with Session(open_link(machine.port)) as session:
            assert session.hello().model == "digits"
        flash_method(board).flash(build_firmware(second), machine.port)
        machine.reset()
        assert validated(second, machine, iter([random_inputs(second.graph, 3)])).bit_exact
        with Session(open_link(machine.port)) as session:
            assert session.hello().model == "residual"


def test_a_loader_on_nrf51s_flash_keeps_the_model_through_the_reset_button() -> None:
    board = load_board("microbit-v1")
    model = model_of(digits(), board, "digits")
    with flashed(model, board) as machine:
        machine.reset()
        with Session(open_link(machine.port)) as session:
            info = session.hello()
            assert (info.role, info.model) == (Role.MODEL, "digits")
            assert session.reset(stay_in_loader=True).role == Role.LOADER
            assert session.reset().role == Role.MODEL


@pytest.mark.parametrize("name", quick(["mps2-an386", *WITH_LOADER[:1]]))
def test_weights_that_are_not_in_the_c_are_flashed_beside_it(name: str) -> None:
    board = load_board(name)
    model = with_placement(model_of(digits(), board, "digits"), Placement("external"))
    with flashed(model, board) as machine:
        report = validated(model, machine, iter([random_inputs(model.graph, 5)]))
    assert report.bit_exact, report.first_mismatch
    assert report.samples == 5
    assert report.weights_intact


@pytest.mark.parametrize(
    "scheme",
    [
        Scheme(input="float32", output="int16"),
        Scheme(LayerScheme("int8", "int16"), input="uint8"),
        Scheme(LayerScheme("int8", "float32")),
    ],
    ids=["float32 to int16", "uint8 to int16", "floats"],
)
def test_inputs_and_outputs_of_other_types_cross_the_line_whole(scheme: Scheme) -> None:
    folder = resource_dir("examples") / "digits"
    model = compile_model(folder / "digits.onnx", "mps2-an386", folder / "digits_calibration.npz", scheme=scheme)
    images = dataset_for(model.graph, np.load(folder / "digits_test.npz")["x"][:8])
    with flashed(model, model.board) as machine:
        report = validated(model, machine, integer_batches(model.graph, images))
    assert report.mismatches == 0
    assert report.samples == 8
    assert report.compared_bytes == 8 * sum(model.graph.tensors[name].size_bytes for name in model.graph.outputs)
