"""The kernels that each board's CPU chooses, over operators without kernels of their own, against the simulator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import test_average_pool
import test_concat
import test_max_pool
import test_mean
import test_normalize
import test_pad
import test_slice
import test_transpose
from binary_cases import ONTO_THE_FIRST, binary_cases
from cases import conv2d
from support import Case, check_c, integer_branches, model_of

from mcuq.boards.find import board_names, load_board
from mcuq.ops.add import Add, Sub
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mul import Mul
from mcuq.ops.prelu import PRelu
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.validate import check_bits

LAYERS: dict[str, Callable[[], list[Case]]] = {
    "conv2d": lambda: conv2d.any_groups(30, 20),
    "add and sub": lambda: binary_cases([Add, Sub], 30),
    "mul": lambda: binary_cases([Mul], 30),
    "div": lambda: binary_cases([Div], 30),
    "extreme": lambda: binary_cases([Max, Min], 30),
    "prelu": lambda: binary_cases([PRelu], 30, ONTO_THE_FIRST),
    "max_pool": lambda: test_max_pool.cases(30, 20),
    "average_pool": lambda: test_average_pool.cases(30, 15),
    "mean": lambda: test_mean.cases(30),
    "softmax": lambda: [(op, [shape]) for op in (Softmax(), LogSoftmax()) for shape in ((1, 10), (3, 7), (2, 300))],
    "moves": lambda: [*test_concat.cases(), *test_pad.cases((0.0, 0.5)), *test_slice.cases(30, 10)],
    "normalize": lambda: list(test_normalize.CASES),
    "transpose": lambda: test_transpose.CASES,
    "unary": lambda: [(Sigmoid(), [shape]) for shape in ((), (3,), (2, 5, 7, 3))],
}
# One of the generic boards, which are named after their core, for each set of kernels.
GENERIC = [name for name in board_names() if name == load_board(name).cpu.core and name != "host"]
BOARDS = sorted({load_board(name).cpu.features: name for name in GENERIC}.values())
EMULATED = [pytest.param(n, marks=() if load_board(n).cpu.unicorn_model else pytest.mark.toolchain) for n in BOARDS]


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("board", BOARDS)
def test_kernels_of_the_board_give_the_simulators_bits_on_the_host(board: str, layers: str) -> None:
    check_c(integer_branches(LAYERS[layers]()), "host", board=board)


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("board", EMULATED)
def test_kernels_of_the_board_give_the_simulators_bits_on_its_emulator(board: str, layers: str) -> None:
    check_c(integer_branches(LAYERS[layers]()), "emulator", board=board)


@pytest.mark.slow
@pytest.mark.parametrize("board", EMULATED)
def test_one_input_at_its_lowest_and_the_other_at_its_highest_value(board: str) -> None:
    graph = integer_branches(binary_cases([Add, Sub, Mul, Div, Max, Min], 31))
    inputs = {}
    for name in graph.inputs:  # x5_0 and x5_1 are those of the layer with the output y5
        low_first = np.array([-128, 127] if name.endswith("_0") else [127, -128], np.int8)
        inputs[name] = np.stack([np.full(graph.tensors[name].shape, value) for value in low_first])
    report = check_bits(model_of(graph, board), iter([inputs]), "emulator")
    assert report.first_mismatch is None
    assert report.samples == 2
