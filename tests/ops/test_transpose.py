"""Transpose: the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.moves import TRANSPOSES
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.simulate import simulate
from mcuq.lower import lower
from mcuq.ops.transpose import Transpose

STEPS = 0.0


def test_simulator_is_exactly_the_float_meaning() -> None:
    check_float(integer_branches(TRANSPOSES), STEPS)


def test_transposing_back_gives_the_input() -> None:
    for op, (shape,) in TRANSPOSES:
        there = integer_graph(op, [shape])
        back = integer_graph(Transpose(tuple(np.argsort(op.perm).tolist())), [there.tensors["y"].shape])
        x = random_inputs(there, 3)
        assert np.array_equal(simulate(back, {"x0": simulate(there, x)["y"]})["y"], x["x0"])


def test_dimensions_that_stay_together_are_one_loop() -> None:
    graph = integer_graph(Transpose((3, 0, 1, 2)), [(2, 3, 4, 5)])
    ((call,),) = (step.calls for step in lower(graph).steps)
    assert [getattr(call.constants, f"size_{i}") for i in range(6)] == [1, 1, 1, 1, 5, 24]
    assert [getattr(call.constants, f"stride_{i}") for i in range(6)] == [0, 0, 0, 0, 1, 5]


def test_order_that_names_no_permutation_is_refused() -> None:
    for perm in ((0, 1), (0, 1, 1), (0, 1, 3), (1, 2, 3)):
        with pytest.raises(ModelError) as caught:
            float_graph(Transpose(perm), [(2, 3, 4)])
        assert str(caught.value) == f"Transpose 'layer': perm={list(perm)} does not order the dimensions of [2, 3, 4]"


def test_more_nested_loops_than_kernels_have_are_refused() -> None:
    graph = integer_graph(Transpose((6, 5, 4, 3, 2, 1, 0)), [(2,) * 7])
    with pytest.raises(ModelError) as caught:
        lower(graph)
    assert str(caught.value) == "Transpose 'layer': moves data in 7 nested loops; at most 6 are supported"
