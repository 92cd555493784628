"""Slice: the simulator against float, and against NumPy's slices."""

from __future__ import annotations

import numpy as np
from cases.moves import as_operator, random_slices, slices
from support import check_float, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate

STEPS = 0.0


def test_simulator_is_exactly_the_float_meaning() -> None:
    for seed in range(8):
        check_float(integer_branches(slices(seed, 40), seed), STEPS)


def test_simulator_takes_what_numpy_takes() -> None:
    for shape, chosen in random_slices(9, 200):
        graph = integer_graph(as_operator(shape, chosen), [shape])
        x = random_inputs(graph, 3)["x0"]
        assert np.array_equal(simulate(graph, {"x0": x})["y"], x[(slice(None), *chosen)])
