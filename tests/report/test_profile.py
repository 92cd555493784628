"""Profiles: every instruction belongs to a layer, figures repeat, and errors say what to do."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support import model_of

from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel
from mcuq.errors import ArtifactError, BoardError
from mcuq.graph.builder import GraphBuilder
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.report.profile import SAMPLE, Profile, profile_model
from mcuq.validate import check_bits, probe_inputs

M55 = pytest.param("cortex-m55", marks=pytest.mark.toolchain)  # runs in QEMU


@cache
def _model(board: str = "cortex-m4") -> CompiledModel:
    """Two equal convolutions, which share a function, a Pad of two calls, a view, and a softmax."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    y = builder.input("x", (1, 8, 8, 8))
    weight, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((8, 3, 3, 8), (8,)))
    for name, sign in (("first", 1), ("second", -1)):
        constants = [builder.constant(sign * weight), builder.constant(sign * bias)]
        y = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1)), minimum=0.0), [y, *constants], name=name)
    y = builder.add(Pad((0, 0, 1, 0), (0, 0, 1, 0), 0.0), [y], name="pad")
    y = builder.add(Reshape((1, 640)), [y], name="flat")
    constants = [builder.constant(rng.normal(size=s).astype(np.float32)) for s in ((5, 640), (5,))]
    y = builder.add(FullyConnected(), [y, *constants], name="dense")
    builder.outputs.append(builder.add(Softmax(), [y], name="classes"))
    graph = builder.graph()
    return model_of(quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (0.0, 9.0))), board, "net")


@cache
def _profile(board: str = "cortex-m4") -> Profile:
    return profile_model(_model(board))


def test_layers_are_those_with_code_in_order() -> None:
    found = _profile()
    assert [layer.name for layer in found.layers] == ["first", "second", "pad", "dense", "classes"]
    assert [layer.op for layer in found.layers] == ["Conv2d", "Conv2d", "Pad", "FullyConnected", "Softmax"]
    assert [layer.macs for layer in found.layers] == [36_864, 36_864, 0, 3_200, 0]
    assert found.macs == sum(layer.macs for layer in found.layers)


def test_every_instruction_is_counted_once() -> None:
    found = _profile()
    assert sum(layer.instructions for layer in found.layers) + found.other_instructions == found.instructions
    assert found.cycles is not None
    assert found.other_cycles is not None
    assert sum(layer.cycles or 0 for layer in found.layers) + found.other_cycles == found.cycles
    # The way into the first layer, and what inlining changes, are little beside the layers.
    assert abs(found.other_instructions) < 0.05 * found.instructions


@pytest.mark.parametrize("board", ["cortex-m4", M55])
def test_the_total_is_what_run_counts(board: str) -> None:
    model = _model(board)
    sample = {name: x[SAMPLE : SAMPLE + 1] for name, x in probe_inputs(model.graph).items()}
    report = check_bits(model, iter([sample]), "emulator")
    assert _profile(board).instructions == report.instructions
    assert _profile(board).stack_bytes == report.stack_bytes


@pytest.mark.parametrize("board", ["cortex-m4", M55])
def test_calls_of_a_shared_function_are_told_apart(board: str) -> None:
    first, second, *_ = _profile(board).layers
    assert first.function == second.function
    assert first.code_bytes > 0
    assert second.code_bytes == 0
    assert first.instructions > first.macs / 8
    assert abs(first.instructions - second.instructions) < 0.01 * first.instructions
    assert first.weight_bytes >= 8 * 72
    assert second.weight_bytes >= 8 * 72


def test_a_layer_of_two_calls_is_one_layer() -> None:
    pad = _profile().layers[2]
    assert len(pad.function.split(", ")) == 2
    assert pad.instructions > 64


def test_two_profiles_are_equal() -> None:
    assert profile_model(_model()) == _profile()


def test_weights_of_the_layers_are_all_constants() -> None:
    found = _profile()
    assert sum(layer.weight_bytes for layer in found.layers) == found.constant_bytes
    assert found.flash_bytes == found.constant_bytes + found.code_bytes


def test_milliseconds_are_cycles_at_the_boards_clock() -> None:
    found = _profile()
    assert found.clock_hz == load_board("cortex-m4").clock_hz == 100_000_000
    assert found.cycles is not None
    assert found.ms == found.cycles / 100_000
    assert found.layers[0].ms == (found.layers[0].cycles or 0) / 100_000
    assert 1 < found.cycles / found.instructions < 3


@pytest.mark.parametrize("board", ["cortex-m0", M55, "rv32imc"])
def test_a_core_without_a_cycle_model_has_instructions_alone(board: str) -> None:
    found = _profile(board)
    assert found.instructions > 0
    assert (found.cycles, found.other_cycles, found.ms, found.cycle_source) == (None, None, None, None)
    assert all((layer.cycles, layer.ms) == (None, None) for layer in found.layers)
    assert all(layer.instructions > 0 for layer in found.layers)


def test_a_board_without_an_emulator_cannot_be_profiled() -> None:
    with pytest.raises(BoardError) as error:
        profile_model(_model("host"))
    assert str(error.value) == ("board 'host' has no emulator to profile on; compile for an emulated board")


def test_c_that_was_changed_is_refused() -> None:
    model = _model()
    text = model.files["net.c"].replace("    /* pad */\n", "    /* pad_2 */\n", 1)
    with pytest.raises(ArtifactError) as error:
        profile_model(replace(model, files={**model.files, "net.c": text}))
    assert str(error.value) == "net.c, net.h: were changed after mcuq wrote them; compile the model again"
