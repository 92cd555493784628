"""Layers whose factors are powers of two: the same bits by shifts as by multipliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cases.conv2d import clamped as conv
from cases.fully_connected import dense
from packed_cases import KINDS, MAKERS, pack_weights
from support import Case, check_c, integer_branches, portable

from mcuq.boards.find import load_board
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.kernels.shifted import right_shifts
from mcuq.lower import lower

M0 = load_board("cortex-m0").cpu.features


def with_powers_of_two(graph: Graph) -> Graph:
    """The graph with each scale the power of two next to it; its integers stay."""
    tensors = {
        name: t
        if t.quant is None
        else replace(t, quant=replace(t.quant, scale=tuple(2.0 ** round(np.log2(scale)) for scale in t.quant.scale)))
        for name, t in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)


def cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    made = [
        conv(rng, (1, 6, 5, 4), (1, 1), 9),
        conv(rng, (1, 6, 5, 3), (3, 2), 5),
        conv(rng, (1, 7, 6, 6), (3, 3), 6, 6),
    ]
    return [*made, dense(rng, 1, 33, 9), dense(rng, 2, 17, 4)]


def shifting(graph: Graph, features: frozenset[str] = M0) -> int:
    """How many layers are requantized by shifts."""
    numbers = [call.constants.numbers() for step in lower(graph, features).steps for call in step.calls]
    by_prescale = [own.get("prescale", 0) == -1 for own in numbers]
    by_shift = ["prescale" not in own and own.get("shift", 1) == 0 for own in numbers]
    return sum(by_prescale) + sum(by_shift)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("board", [load_board("cortex-m0"), portable("cortex-m0"), portable("cortex-m4")])
@pytest.mark.parametrize("change", [lambda g: g, lambda g: pack_weights(g, KINDS)], ids=["int8", "packed"])
def test_layers_with_scales_of_powers_of_two_give_the_simulators_bits(
    change: Callable[[Graph], Graph], board: object, on: str
) -> None:
    graph = with_powers_of_two(change(integer_branches([*cases(1), *cases(2)], 3)))
    assert shifting(graph, board.cpu.features) > 4  # type: ignore[attr-defined]
    check_c(graph, on, board=board)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MAKERS)
def test_random_layers_with_scales_of_powers_of_two_give_the_simulators_bits(name: str) -> None:
    rng = np.random.default_rng(4)
    graph = with_powers_of_two(integer_branches([MAKERS[name](rng) for _ in range(10)], 4))
    assert shifting(graph) > 4
    check_c(graph, "emulator", board="cortex-m0")


def test_other_scales_keep_their_multipliers() -> None:
    assert shifting(integer_branches(cases(1))) == 0
    assert shifting(integer_branches(cases(1)), frozenset({"dsp"})) == 0


def shifts(multiplier: Array, shift: int = 3, prescale: int = 0, bound: int = 10**6) -> list[int] | None:
    found = right_shifts(multiplier, shift, prescale, bound)
    return None if found is None else found.tolist()


def test_shifts_are_what_multipliers_stand_for() -> None:
    assert shifts(np.array([2**30, 2**29, 2**7])) == [5, 6, 28]
    assert shifts(np.array([2**30]), 1, 4) is None  # a factor of 2
    assert shifts(np.array([2**30]), 1, 2) == [1]
    assert shifts(np.array([2**30, 3])) is None


def test_channels_that_round_to_nothing_are_shifted_as_far_as_there_are_bits() -> None:
    assert shifts(np.array([2**30, 0, 1])) == [5, 31, 31]
    assert shifts(np.array([2**30, 0]), bound=2**30) is None


def test_rounding_halves_that_do_not_fit_keep_multipliers() -> None:
    half = 2 ** (28 - 1)
    assert shifts(np.array([2**30, 2**7]), bound=2**31 - 1 - half) == [5, 28]
    assert shifts(np.array([2**30, 2**7]), bound=2**31 - half) is None
