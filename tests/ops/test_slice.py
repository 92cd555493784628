"""Slice: C against the simulator, the simulator against float, and against NumPy's slices."""

from __future__ import annotations

import numpy as np
import pytest
from support import Case, check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.ops.slice import Slice

STEPS = 0.0

SLICES = (slice(None), slice(1, None), slice(None, -1), slice(None, None, 2), slice(1, None, 3), slice(None, None, -1))
SLICES += (slice(-2, None, -2), slice(0, 1), slice(-1, None), slice(-1, -2, -1))
SHAPES = ((5,), (4, 3), (2, 5, 7, 3), (1, 6, 4, 2), (3, 3, 3, 3, 3, 3))


def random_slices(seed: int, count: int) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        shape = SHAPES[rng.integers(len(SHAPES))]
        slices = tuple(SLICES[rng.integers(len(SLICES))] for _ in shape)
        if all(np.zeros(shape)[slices].shape):
            found.append((shape, slices))
    return found


def as_operator(shape: tuple[int, ...], slices: tuple[slice, ...]) -> Slice:
    ranges = [range(*s.indices(size)) for s, size in zip(slices, shape, strict=True)]
    return Slice(tuple(r.start for r in ranges), tuple(map(len, ranges)), tuple(r.step for r in ranges))


def cases(seed: int, count: int) -> list[Case]:
    return [(as_operator(shape, slices), [shape]) for shape, slices in random_slices(seed, count)]


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases(0, 30)), on)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("seed", range(1, 4))
def test_c_gives_the_simulators_bits_for_many_random_layers(seed: int, on: str) -> None:
    check_portable_c(integer_branches(cases(seed, 40), seed), on)


def test_simulator_is_exactly_the_float_meaning() -> None:
    for seed in range(8):
        check_float(integer_branches(cases(seed, 40), seed), STEPS)


def test_simulator_takes_what_numpy_takes() -> None:
    for shape, slices in random_slices(9, 200):
        graph = integer_graph(as_operator(shape, slices), [shape])
        x = random_inputs(graph, 3)["x0"]
        assert np.array_equal(simulate(graph, {"x0": x})["y"], x[(slice(None), *slices)])
