"""ID_STACK_BYTES against what inferences were seen to take."""

from __future__ import annotations

import pytest
import test_c_interface
from support import integer_branches, model_of, random_inputs
from test_c_interface import SCHEMES, graph_of

from mcuq.build.target import build_target
from mcuq.compile import CompiledModel
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.lower import Goal
from mcuq.ops.sigmoid import Sigmoid
from mcuq.validate import check_bits
from mcuq.validate.bits import probe_inputs

# Not so much above that it says nothing.
MOST_TOO_MUCH_BYTES = 768
GOALS: tuple[Goal, ...] = ("balanced", "size", "speed")


def bound(model: CompiledModel) -> int:
    assert model.stack_bytes is not None
    return model.stack_bytes


def painted(model: CompiledModel, level: str) -> int:
    """Stack of one inference of the C at this level of optimization, on the emulated CPU."""
    places = model.listing.accessors
    entry = f"{model.name}_run"
    cpu = UnicornCpu(build_target(model.files, entry, tuple(places.values()), model.board, level).elf, model.board)
    pointers = [cpu.call(places[name]).value for name in (*model.graph.inputs, *model.graph.outputs)]
    return cpu.call(entry, *pointers).stack_bytes


def test_the_bound_holds_the_stack_that_is_seen() -> None:
    model = model_of(graph_of("int8"), "cortex-m4", "net")
    report = check_bits(model, iter([random_inputs(model.graph, 1)]), "emulator")
    assert report.stack_bytes is not None
    assert report.stack_bytes <= bound(model) <= report.stack_bytes + MOST_TOO_MUCH_BYTES


@pytest.mark.slow
@pytest.mark.toolchain
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "rv32imc"])
def test_the_bound_holds_for_every_scheme_goal_and_level(board: str, scheme: str, goal: Goal) -> None:
    model = test_c_interface.model(scheme, board, goal=goal)
    seen = {level: painted(model, level) for level in ("-O1", "-O2", "-O3", "-Os")}
    assert max(seen.values()) <= bound(model) <= max(seen.values()) + MOST_TOO_MUCH_BYTES, seen


@pytest.mark.toolchain
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_bound_holds_with_helium(scheme: str) -> None:
    model = test_c_interface.model(scheme, "cortex-m55")
    samples = {name: x[:2] for name, x in probe_inputs(model.graph).items()}
    report = check_bits(model, iter([samples]), "emulator")
    assert report.stack_bytes is not None
    assert report.stack_bytes <= bound(model) <= report.stack_bytes + MOST_TOO_MUCH_BYTES


@pytest.mark.toolchain
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32imc"])
@pytest.mark.parametrize("tensors", [5, 60])
def test_the_bound_holds_with_many_inputs_and_outputs(board: str, tensors: int) -> None:
    model = model_of(integer_branches([(Sigmoid(), [(1, 5)])] * tensors), board, "net")
    seen = {level: painted(model, level) for level in ("-O1", "-O2", "-Os")}
    pointers = 8 * 2 * tensors  # which not every compiler keeps
    assert max(seen.values()) <= bound(model) <= max(seen.values()) + MOST_TOO_MUCH_BYTES + pointers, seen
