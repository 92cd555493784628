"""Kernels where accesses to unaligned addresses are trapped: Cortex-M with CCR.UNALIGN_TRP set, for which the C is
compiled with -mno-unaligned-access, and RV32, whose smaller cores trap or are slow."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import test_dsp_kernels
import test_int16_dsp_kernels
import test_mve_kernels
import test_rv32_kernels
from blocked_cases import random_graph
from packed_cases import KINDS, MAKERS, packed_layers
from support import Case, integer_branches, model_of, random_inputs
from test_int16_layers import INT16
from trapped import STRICT, run_trapped, simulated, trapped_board

from mcuq.boards.find import load_board
from mcuq.build.target import build_target
from mcuq.compile import with_goal
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.errors import BuildError
from mcuq.graph.ir import Graph
from mcuq.lower import Goal
from mcuq.plan.fit import STACK_BYTES

pytestmark = pytest.mark.toolchain


def mve_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [test_mve_kernels.random_case(rng) for _ in range(20)]


def dsp_cases(seed: int) -> list[Case]:
    return [*test_dsp_kernels.corners(), *test_dsp_kernels.cases(seed, 2)]


GRAPHS: dict[tuple[str, str], Callable[[int], Graph]] = {
    ("mps2-an386", "int8"): lambda seed: integer_branches(dsp_cases(seed), seed),
    ("mps2-an386", "int16"): lambda seed: integer_branches(test_int16_dsp_kernels.cases(seed, 3), seed, INT16),
    ("mps2-an385", "int8"): lambda seed: random_graph(seed, 15),
    ("cortex-m55", "int8"): lambda seed: integer_branches(mve_cases(seed), seed),
    **{("mps2-an386", name): partial(packed_layers, name, KINDS, count=len(KINDS)) for name in MAKERS},
}


def check(board: str, graph: Graph, goal: Goal = "balanced") -> None:
    model = with_goal(model_of(graph, trapped_board(board, STRICT)), goal)
    inputs = random_inputs(graph, 3)
    assert run_trapped(model, inputs) == simulated(model, inputs)


@pytest.mark.parametrize(("board", "kind"), GRAPHS)
def test_no_layer_faults(board: str, kind: str) -> None:
    check(board, GRAPHS[board, kind](0))


@pytest.mark.slow
@pytest.mark.parametrize("goal", ["size", "balanced", "speed"])
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(("board", "kind"), GRAPHS)
def test_no_random_layer_faults(board: str, kind: str, seed: int, goal: Goal) -> None:
    check(board, GRAPHS[board, kind](seed), goal)


def test_the_trap_is_set() -> None:
    """A network of three channels takes words from any address where the compiler allows it."""
    graph = integer_branches(test_dsp_kernels.corners())
    with pytest.raises(BuildError, match="'layer' on emulated mps2-an386: stops with a fault"):
        run_trapped(model_of(graph, trapped_board("mps2-an386")), random_inputs(graph, 1))


@pytest.mark.parametrize("goal", ["size", "balanced"])
def test_rv32_and_cortex_m0_take_no_word_from_an_unaligned_address(goal: Goal) -> None:
    graph = integer_branches(test_rv32_kernels.random_cases(0, 20))
    assert unaligned_accesses(graph, "rv32imc", goal) == 0
    assert unaligned_accesses(graph, "cortex-m0", goal) == 0


def test_those_of_cortex_m4_are_seen() -> None:
    assert unaligned_accesses(integer_branches(test_dsp_kernels.corners()), "cortex-m4", "balanced") > 0


def unaligned_accesses(graph: Graph, board: str, goal: Goal) -> int:
    """How many loads and stores of one inference are of addresses that are no multiples of their sizes."""
    unicorn = importlib.import_module("unicorn")
    model = with_goal(model_of(graph, load_board(board)), goal)
    entry, places = f"{model.name}_run", model.listing.accessors
    cpu = UnicornCpu(
        build_target(model.files, entry, tuple(places.values()), model.board, stack_bytes=STACK_BYTES).elf, model.board
    )
    pointers = [cpu.call(places[name]).value for name in (*graph.inputs, *graph.outputs)]
    found = [0]

    def look(engine: object, access: int, address: int, n_bytes: int, value: int, data: object) -> None:
        found[0] += address % n_bytes != 0

    cpu._engine.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, look)
    cpu.call(entry, *pointers)
    return found[0]
