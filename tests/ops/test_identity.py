"""Identity: a copy."""

from __future__ import annotations

import numpy as np
import pytest
from support import check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.ops.identity import Identity

CASES = [(Identity(), [shape]) for shape in ((), (1,), (7,), (2, 5, 7, 3))]


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(CASES), on)


def test_output_is_the_input() -> None:
    graph = integer_graph(Identity(), [(3, 4)])
    x = random_inputs(graph, 3)
    assert np.array_equal(simulate(graph, x)["y"], x["x0"])
    check_float(integer_branches(CASES), 0.0)
