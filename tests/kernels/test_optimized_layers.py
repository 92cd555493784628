"""Layers of all kinds under `--optimize speed` and `size`: many side by side, so that layers of many sizes share
functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from binary_cases import ONTO_THE_FIRST, binary_cases
from cases import conv2d, fully_connected, mat_mul
from cases.moves import concats
from cases.pools import average_pools, max_pools, means
from support import Case, integer_branches, random_inputs

from mcuq.boards.find import load_board
from mcuq.compile import assemble
from mcuq.graph.ir import Graph
from mcuq.lower import Goal
from mcuq.ops.add import Add, Sub
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.mul import Mul
from mcuq.ops.prelu import PRelu
from mcuq.ops.softmax import Softmax
from mcuq.validate import check_bits

SEED = 71
LAYERS: dict[str, Callable[[], list[Case]]] = {
    "conv2d": lambda: [*conv2d.corners(), *conv2d.any_groups(SEED, 30)],
    "matrices": lambda: [
        *mat_mul.fixed()[::3],
        *fully_connected.fixed()[::2],
        *((Softmax(), [shape]) for shape in ((1, 10), (3, 7), (2, 300))),
    ],
    "pools": lambda: [
        *max_pools(SEED, 12),
        *average_pools(SEED, 12),
        *means(SEED),
    ],
    "elementwise": lambda: [
        *binary_cases([Add, Sub, Mul, Div, Max, Min], SEED),
        *binary_cases([PRelu], SEED, ONTO_THE_FIRST),
        *concats(),
    ],
}
UNICORN = ("cortex-m0", "cortex-m3", "cortex-m4", "rv32imc")
GOALS: tuple[Goal, ...] = ("speed", "size")


@cache
def layers(kind: str) -> Graph:
    return integer_branches(LAYERS[kind](), SEED)


def check(kind: str, goal: Goal, board: str, on: str) -> None:
    """Assert that every byte is the simulator's."""
    model = assemble(layers(kind), load_board(board), "layers", b"", optimize=goal)
    report = check_bits(model, iter([random_inputs(model.graph, 4, SEED)]), on)
    assert report.first_mismatch is None, f"{model.graph.text()}{report.first_mismatch}"
    assert report.samples == 4
    assert report.compared_bytes > 0


# On the host `speed` is compiled as `balanced` is.
@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("board", [*UNICORN, "cortex-m55"])
def test_layers_give_the_simulators_bits_on_the_host(board: str, kind: str) -> None:
    check(kind, "size", board, "host")


@pytest.mark.slow
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("board", [*UNICORN, pytest.param("cortex-m55", marks=pytest.mark.toolchain)])
def test_layers_give_the_simulators_bits_on_the_emulator(board: str, kind: str, goal: Goal) -> None:
    check(kind, goal, board, "emulator")
