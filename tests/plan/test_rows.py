"""Layers that run row by row give the bytes of whole ones, make no row twice, and read none that is gone."""

from __future__ import annotations

import pytest
from row_networks import row_by_row, row_network
from support import check_c, with_ranges

from mcuq.plan.segments import Segment

CPUS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc")
PER_PROGRAM = 1


@pytest.mark.parametrize("seed", range(10))
def test_rows_give_the_simulators_bits(seed: int) -> None:
    found: list[Segment] = []
    with row_by_row(1 + seed % 4, found):
        check_c(with_ranges(row_network(seed), seed), "host", board=CPUS[seed % len(CPUS)])
    assert found


@pytest.mark.parametrize("board", CPUS)
def test_rows_give_the_simulators_bits_on_emulated_cpus(board: str) -> None:
    with row_by_row(2):
        check_c(with_ranges(row_network(21), 21), "emulator", board=board)


@pytest.mark.slow
@pytest.mark.parametrize("board", CPUS)
@pytest.mark.parametrize("seed", range(100, 112))
def test_more_rows_give_the_simulators_bits(seed: int, board: str) -> None:
    with row_by_row(1 + seed % 3):
        check_c(with_ranges(row_network(seed), seed), "emulator" if seed % 2 else "host", board=board)
