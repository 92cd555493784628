"""Pad: the simulator against float, values that are no code, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.moves import pads
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.quantization import quant_for_range
from mcuq.graph.simulate import simulate
from mcuq.ops.pad import Pad

# Zero is always a code, other values round to the nearest.
STEPS, VALUE_STEPS = 0.0, 0.5


def test_simulator_is_exactly_the_float_meaning_of_zeros_and_of_what_is_moved() -> None:
    for seed in range(8):
        check_float(integer_branches(pads((0.0,)), seed), STEPS)


def test_simulator_is_within_half_a_step_of_the_float_meaning_of_other_values() -> None:
    for seed in range(8):
        check_float(integer_branches(pads((0.3, -1.7, 40.0)), seed), VALUE_STEPS)


@pytest.mark.parametrize(("value", "want"), [(0.0, (-1, 2)), (1.0, (-1, 2)), (5.0, (-1, 5)), (-3.0, (-3, 2))])
def test_shared_scale_covers_the_value(value: float, want: tuple[float, float]) -> None:
    graph = integer_graph(Pad((1,), (0,), value), [(3,)], {"x0": (-1, 2)})
    assert graph.tensors["x0"].quant == graph.tensors["y"].quant == quant_for_range(*want)


def test_output_is_the_input_with_the_zero_point_around_it() -> None:
    graph = integer_graph(Pad((0, 1), (0, 2)), [(2, 3)], {"x0": (-1, 2)})
    x = random_inputs(graph, 4)["x0"]
    y = simulate(graph, {"x0": x})["y"]
    assert np.array_equal(y[..., 1:4], x)
    assert np.unique(y[..., [0, 4, 5]]).tolist() == [graph.tensors["x0"].zero_point]


def test_pads_of_another_rank_are_refused() -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(Pad((0, 1), (0, 1)), [(1, 2, 3)])
    assert str(caught.value) == "Pad 'layer': pads of 2 dimensions do not fit [1, 2, 3]"
