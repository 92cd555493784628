"""Concat: the simulator against float, the shared scale, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.moves import concats
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError
from mcuq.graph.quantization import quant_for_range
from mcuq.graph.simulate import simulate
from mcuq.ops.concat import Concat

# Half a step for constants, whose rounding this is; what is computed is exact.
STEPS = 0.0


def test_simulator_is_exactly_the_float_meaning() -> None:
    for seed in range(8):
        check_float(integer_branches(concats(), seed), STEPS)


def test_all_inputs_share_one_scale_that_covers_every_range_and_constant() -> None:
    constant = np.array([[-7.0, 0.5]])
    graph = integer_graph(Concat(1), [(1, 2), constant, (1, 3)], {"x0": (-1, 2), "x2": (0, 9)})
    want = quant_for_range(-7, 9)
    assert [graph.tensors[name].quant for name in ("x0", "x2", "y", "c1")] == [want] * 4
    assert graph.tensors["c1"].values.tolist() == want.quantize(constant).tolist()


def test_slices_of_the_output_are_the_inputs() -> None:
    graph = integer_graph(Concat(2), [(2, 3, 4), (2, 3, 1), (2, 3, 6)])
    x = random_inputs(graph, 3)
    parts = np.split(simulate(graph, x)["y"], [4, 5], axis=3)
    assert all(np.array_equal(part, x[f"x{i}"]) for i, part in enumerate(parts))


@pytest.mark.parametrize("shapes", [[(1, 3), (2, 3)], [(1, 3), (1, 3, 1)], [(2, 2, 2), (2, 2, 2), (2, 3, 3)]], ids=str)
def test_shapes_that_do_not_join_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(Concat(1), shapes)
    listed = [list(shape) for shape in shapes]
    assert str(caught.value) == f"Concat 'layer': shapes {listed} do not join along axis 1"
