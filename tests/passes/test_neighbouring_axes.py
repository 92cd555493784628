"""Dimensions that a Mean reduces are brought next to each other."""

from __future__ import annotations

from itertools import combinations

import pytest
from networks import Network, assert_same_meaning

from mcuq.ops.mean import Mean
from mcuq.passes.neighbouring_axes import neighbouring_axes


def test_reduced_dimensions_around_a_kept_one_are_moved_to_the_end_and_back() -> None:
    net = Network()
    before = net.finish(net.add(Mean((1, 3), minimum=0.0), [net.input("x", (2, 3, 4, 5))], "y", "pool"))
    after = neighbouring_axes(before)
    assert_same_meaning(before, after)
    assert after.text() == (
        "input x: float32[2,3,4,5]\n"
        "transpose: float32[2,4,3,5] = Transpose(x) perm=0,2,1,3\n"
        "pool: float32[2,4,1,1] = Mean(transpose) minimum=0.0 axes=2,3\n"
        "y: float32[2,1,4,1] = Transpose(pool) perm=0,2,1,3\n"
        "output y\n"
    )


@pytest.mark.parametrize("axes", [a for n in range(5) for a in combinations(range(4), n)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 1, 5), (2, 1, 4, 1)], ids=str)
def test_every_mean_becomes_one_that_its_kernel_takes(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    net = Network()
    before = net.finish(net.add(Mean(axes), [net.input("x", shape)], "y"))
    after = neighbouring_axes(before)
    assert_same_meaning(before, after)
    for layer in after.layers():
        if isinstance(layer.op, Mean):
            layer.op.span(layer.inputs[0].shape)
    try:
        Mean(axes).span(shape)
    except ValueError:
        assert len(after.nodes) == 3
    else:
        assert after.text() == before.text()
