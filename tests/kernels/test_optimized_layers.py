"""Layers of all kinds under `--optimize speed` and `size`: many side by side, so that layers of many sizes share
functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import test_average_pool
import test_concat
import test_fully_connected
import test_mat_mul
import test_max_pool
import test_mean
from binary_cases import ONTO_THE_FIRST, binary_cases
from cases import conv2d
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
        *test_fully_connected.cases(SEED, 12),
        *test_mat_mul.cases(SEED, 4),
        *((Softmax(), [shape]) for shape in ((1, 10), (3, 7), (2, 300))),
    ],
    "pools": lambda: [
        *test_max_pool.cases(SEED, 12),
        *test_average_pool.cases(SEED, 12),
        *test_mean.cases(SEED),
    ],
    "elementwise": lambda: [
        *binary_cases([Add, Sub, Mul, Div, Max, Min], SEED),
        *binary_cases([PRelu], SEED, ONTO_THE_FIRST),
        *test_concat.cases(),
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
