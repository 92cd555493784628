"""Kernels of packed weights against the simulator: every packing, on the host and on emulated CPUs."""

from __future__ import annotations

import pytest
from packed_cases import KINDS, MAKERS, packed_layers
from support import check_c, portable

from mcuq.boards import load_board

BOARDS = ("cortex-m0", "cortex-m3", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MAKERS)
def test_portable_kernels_give_the_simulators_bits(name: str, kind: str) -> None:
    check_c(packed_layers(name, kind, 1, 10), "host", board=portable())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("board", BOARDS)
def test_kernels_of_a_cpu_give_the_simulators_bits(name: str, kind: str, board: str) -> None:
    check_c(packed_layers(name, kind, 2, 8), "host", board=load_board(board))
    check_c(packed_layers(name, kind, 3, 8), "emulator", board=load_board(board))
