"""Mean: the simulator against float, relations."""

from __future__ import annotations

import numpy as np
import pytest
from cases.pools import MEANS, means
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.ops.mean import Mean

STEPS = 0.5


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(16):
        check_float(integer_branches(means(seed), seed), STEPS)


def test_mean_of_equal_values_is_the_value() -> None:
    for shape, axes in MEANS:
        graph = integer_graph(Mean(axes), [shape], {"x0": (-1, 3), "y": (-1, 3)})
        x = np.arange(-128, 128).astype(np.int8).reshape(256, *(1,) * len(shape))
        y = simulate(graph, {"x0": np.broadcast_to(x, (256, *shape))})["y"]
        assert np.array_equal(y, np.broadcast_to(x, y.shape))


def test_order_of_what_is_averaged_does_not_matter() -> None:
    graph = integer_graph(Mean((1, 2)), [(1, 4, 3, 2)], {"y": (-0.5, 0.5)})
    x = random_inputs(graph, 10)["x0"]
    assert np.array_equal(simulate(graph, {"x0": x})["y"], simulate(graph, {"x0": x[:, :, ::-1, ::-1]})["y"])


def test_reduced_dimensions_stay_with_one_element() -> None:
    assert float_graph(Mean((1, 2)), [(2, 5, 7, 3)]).tensors["y"].shape == (2, 1, 1, 3)


def test_span_of_dimensions_that_are_no_neighbours_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        Mean((1, 3)).span((2, 5, 7, 3))
    assert str(caught.value) == "axes (1, 3) of (2, 5, 7, 3) are not neighbours"
