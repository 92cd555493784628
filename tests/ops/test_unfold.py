"""Unfold: C against the simulator, the simulator against float and NumPy's windows, errors."""

from __future__ import annotations

import numpy as np
import pytest
from support import Case, check_float, check_portable_c, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.simulate import simulate
from mcuq.ops.unfold import Unfold

STEPS = 0.0

CASES: list[Case] = [
    (Unfold(0, 2, 1, 1, 1), [(5,)]),
    (Unfold(0, 1, 2, 1, 0), [(5,)]),
    (Unfold(1, 3, 2, 2, 5), [(2, 9, 3, 2, 1, 4)]),
    (Unfold(1, 3, 1, 1, 5), [(1, 5, 3, 2, 2, 3)]),
    (Unfold(2, 4, 1, 1, 1), [(2, 3, 4)]),
    (Unfold(1, 2, 3, 4, 3), [(2, 12, 20)]),
    (Unfold(0, 2, 1, 3, 0), [(7, 17)]),
]


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(CASES), on)


def test_simulator_is_exactly_the_float_meaning() -> None:
    check_float(integer_branches(CASES), STEPS)


def test_windows_are_those_of_numpy() -> None:
    graph = integer_graph(Unfold(1, 3, 2, 2, 3), [(2, 9, 4)])
    x = random_inputs(graph, 3)["x0"]
    windows = np.lib.stride_tricks.sliding_window_view(x, 5, axis=2)[:, :, ::2, :, ::2]
    assert np.array_equal(simulate(graph, {"x0": x})["y"], windows)


def test_a_window_larger_than_the_dimension_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(Unfold(1, 3, 1, 2, 2), [(2, 4)])
    assert str(caught.value) == "Unfold 'layer': a window of 5 does not fit dimension 1 of [2, 4]"
