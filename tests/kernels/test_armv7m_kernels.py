"""Kernels of Cortex-M3: on the emulated CPU, and their portable C on the host, against the simulator."""

from __future__ import annotations

import pytest
from blocked_cases import PER_SEED, SEEDS, corner_cases, random_graph
from support import check_c, integer_branches

from mcuq.ops.fully_connected import FullyConnected


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    # On the host all but the matrices are the same C as that of Cortex-M0.
    cases = [case for case in corner_cases() if on == "emulator" or isinstance(case[0], FullyConnected)]
    check_c(integer_branches(cases), on, board="cortex-m3")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "on"), [(seed, "emulator") for seed in SEEDS] + [(seed, "host") for seed in SEEDS[:2]]
)
def test_c_gives_the_simulators_bits_for_many_random_layers(seed: int, on: str) -> None:
    check_c(random_graph(seed, PER_SEED), on, seed=seed, board="cortex-m3")
