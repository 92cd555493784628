"""MaxPool: the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.pools import max_pools
from support import check_float, float_graph, integer_branches, integer_graph, random_inputs
from windows import window_cases

from mcuq.errors import ModelError
from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.window import Window

STEPS = 0.0


def test_simulator_is_exactly_the_float_meaning() -> None:
    for seed in range(10):
        check_float(integer_branches(max_pools(seed, 30), seed), STEPS)


def test_input_and_output_share_one_scale() -> None:
    graph = integer_graph(MaxPool(Window((2, 2))), [(1, 3, 3, 1)], {"x0": (-0.3, 5)})
    assert graph.tensors["y"].quant == graph.tensors["x0"].quant


def test_batch_of_two_is_twice_a_batch_of_one_and_permuted_channels_commute() -> None:
    for x, window in window_cases():
        one = integer_graph(MaxPool(window), [(1, *x[1:])])
        two = integer_graph(MaxPool(window), [(2, *x[1:])])
        values = random_inputs(two, 4)["x0"]
        halves = [simulate(one, {"x0": values[:, i : i + 1]})["y"] for i in range(2)]
        whole = simulate(two, {"x0": values})["y"]
        assert np.array_equal(whole, np.concatenate(halves, axis=1))
        assert np.array_equal(simulate(two, {"x0": values[..., ::-1]})["y"], whole[..., ::-1])


@pytest.mark.parametrize("op", [MaxPool, AveragePool])
@pytest.mark.parametrize(
    ("window", "written"),
    [
        (Window((2, 2), (2, 2)), 0),
        (Window((2, 2), (2, 2), ceil_mode=True), 1),
        (Window((3, 3), (2, 2), ceil_mode=True), 0),  # 5 elements divide without a remainder
        (Window((2, 2), (2, 2), (1, 1, 1, 1), ceil_mode=True), 0),  # the last window would start beyond the input
    ],
)
def test_rounding_up_is_written_to_onnx_just_where_it_adds_a_window(
    op: type[MaxPool | AveragePool], window: Window, written: int
) -> None:
    """ONNX's shape inference adds a window that starts beyond the input, on which ONNX Runtime 1.31 fails."""
    graph = float_graph(op(window), [(1, 5, 5, 1)])
    (pool,) = (node for node in write_onnx(graph).graph.node if node.op_type.endswith("Pool"))
    assert {a.name: a.i for a in pool.attribute}["ceil_mode"] == written


def refused(window: Window, x: tuple[int, ...]) -> str:
    with pytest.raises(ModelError) as caught:
        float_graph(MaxPool(window), [x])
    return str(caught.value)


def test_window_that_may_lie_in_the_padding_alone_is_refused() -> None:
    assert refused(Window((2, 3), pads=(2, 0, 0, 0)), (1, 5, 5, 1)) == (
        "MaxPool 'layer': pads=[2, 0, 0, 0] reach beyond the window [2, 3]"
    )
    assert refused(Window((2, 3), pads=(0, 0, 0, 3)), (1, 5, 5, 1)) == (
        "MaxPool 'layer': pads=[0, 0, 0, 3] reach beyond the window [2, 3]"
    )


def test_window_larger_than_the_padded_image_is_refused() -> None:
    assert refused(Window((2, 2), dilations=(1, 3), pads=(0, 0, 0, 1)), (1, 2, 2, 1)) == (
        "MaxPool 'layer': a window of 4 does not fit an input of 2 with pads 0 and 1"
    )


def test_dilated_window_that_meets_no_input_is_refused() -> None:
    assert refused(Window((2, 1), pads=(1, 0, 1, 0), dilations=(2, 1)), (1, 1, 3, 1)) == (
        "MaxPool 'layer': pads=[1, 0, 1, 0] and dilations=[2, 1] leave a window without input of [1, 3]"
    )
