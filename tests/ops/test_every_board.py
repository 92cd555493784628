"""The kernels that each board's CPU chooses, over the layers of all operators, against the simulator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import test_average_pool
import test_concat
import test_conv2d
import test_fully_connected
import test_max_pool
import test_mean
import test_pad
import test_slice
import test_transpose
from binary_cases import binary_cases
from support import Case, check_c, integer_branches

from mcuq.boards import board_names, load_board
from mcuq.ops.add import Add, Sub
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mul import Mul
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax

LAYERS: dict[str, Callable[[], list[Case]]] = {
    "conv2d": test_conv2d.corner_cases,
    "random conv2d": lambda: test_conv2d.random_cases(30, 20),
    "fully_connected": lambda: test_fully_connected.cases(30, 12),
    "add and sub": lambda: binary_cases([Add, Sub], 30),
    "mul": lambda: binary_cases([Mul], 30),
    "max_pool": lambda: test_max_pool.cases(30, 20),
    "average_pool": lambda: test_average_pool.cases(30, 15),
    "mean": lambda: test_mean.cases(30),
    "softmax": lambda: [(op, [shape]) for op in (Softmax(), LogSoftmax()) for shape in ((1, 10), (3, 7), (2, 300))],
    "moves": lambda: [*test_concat.cases(), *test_pad.cases((0.0, 0.5)), *test_slice.cases(30, 10)],
    "transpose": lambda: test_transpose.CASES,
    "unary": lambda: [(Sigmoid(), [shape]) for shape in ((), (3,), (2, 5, 7, 3))],
}
# One board for each set of kernels.
BOARDS = sorted({load_board(name).cpu.features: name for name in board_names() if name != "host"}.values())


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("board", BOARDS)
def test_kernels_of_the_board_give_the_simulators_bits_on_the_host(board: str, layers: str) -> None:
    check_c(integer_branches(LAYERS[layers]()), "host", board=board)


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("board", [name for name in BOARDS if load_board(name).cpu.unicorn_model])
def test_kernels_of_the_board_give_the_simulators_bits_on_its_emulator(board: str, layers: str) -> None:
    check_c(integer_branches(LAYERS[layers]()), "emulator", board=board)
