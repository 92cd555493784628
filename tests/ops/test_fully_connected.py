"""FullyConnected: the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.fully_connected import any_dense, dense, fixed
from support import (
    check_float,
    check_portable_c,
    float_graph,
    given_integers,
    integer_branches,
    integer_graph,
    random_inputs,
)

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.simulate import simulate
from mcuq.lower import choose_kernel
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import exact_product_dtype

# Half a step, and the multiplier's rounding where no channel's weights are below 2^-9 of the largest's.
STEPS = 0.5 + 1e-4


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        check_float(integer_branches([*fixed()[seed::4], *(any_dense(rng) for _ in range(12))], seed), STEPS)


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("weight", [-1.0, 1.0])
def test_accumulator_of_a_large_layer_reaches_its_bound(on: str, weight: float) -> None:
    """Beyond 2^24, where float32 no longer holds each integer."""
    graph = integer_graph(FullyConnected(), [(1, 4001), np.full((2, 4001), weight), np.ones(2)], {"y": (-4000, 4000)})
    node = next(graph.layers())
    (call,) = choose_kernel(node, frozenset()).lower(node.op, node)
    assert call.bound == 4001 * 127 * 128 + int(np.abs(node.inputs[2].values).max())
    assert exact_product_dtype(*node.inputs[:1], node.inputs[1].values) is np.float64
    check_portable_c(graph, on, samples=3)
    check_float(graph, STEPS)


def test_simulator_sums_exactly_on_both_sides_of_what_float32_holds() -> None:
    rng = np.random.default_rng(0)
    for inputs, dtype in ((1031, np.float32), (1034, np.float64)):  # 128 * 127 * 1032 < 2^24 < 128 * 127 * 1033
        weight = np.where(rng.random((3, inputs)) < 0.5, -1.0, 1.0)
        graph = integer_graph(FullyConnected(), [(1, inputs), weight, rng.normal(size=3)], {"y": (-500, 500)})
        node = next(graph.layers())
        assert exact_product_dtype(*node.inputs[:1], node.inputs[1].values) is dtype
        check_float(graph, STEPS, samples=20)


def test_rows_are_independent() -> None:
    rng = np.random.default_rng(1)
    op, (_, weight, bias) = dense(rng, 1, 9, 4)
    one, four = (integer_graph(op, [(rows, 9), weight, bias], {"y": (-3, 3)}) for rows in (1, 4))
    x = random_inputs(four, 5)["x0"]
    parts = [simulate(one, {"x0": x[:, i : i + 1]})["y"] for i in range(4)]
    assert np.array_equal(simulate(four, {"x0": x})["y"], np.concatenate(parts, axis=1))


def test_permuted_features_change_nothing_and_permuted_outputs_permute_the_output() -> None:
    rng = np.random.default_rng(2)
    op, (x, weight, bias) = dense(rng, 2, 9, 4)
    columns, rows = rng.permutation(9), rng.permutation(4)
    graph = integer_graph(op, [x, weight, bias], {"y": (-3, 3)})
    permuted = integer_graph(op, [x, weight[rows][:, columns], bias[rows]], {"y": (-3, 3)})
    values = random_inputs(graph, 5)["x0"]
    got = simulate(permuted, {"x0": values[..., columns]})["y"]
    assert np.array_equal(got, simulate(graph, {"x0": values})["y"][..., rows])


def test_macs_are_weights_times_rows() -> None:
    assert float_graph(FullyConnected(), [(3, 5), np.zeros((7, 5)), np.zeros(7)]).macs() == 3 * 5 * 7


def refused(*shapes: tuple[int, ...]) -> str:
    x, *constants = shapes
    with pytest.raises(ModelError) as caught:
        float_graph(FullyConnected(), [x, *(np.zeros(shape) for shape in constants)])
    return str(caught.value)


def test_shapes_that_do_not_fit_are_refused() -> None:
    assert refused((1, 4, 1), (2, 4), (2,)) == (
        "FullyConnected 'layer': input [1, 4, 1] does not fit weight [2, 4] (outputs, inputs)"
    )
    assert refused((1, 4), (2, 5), (2,)) == (
        "FullyConnected 'layer': input [1, 4] does not fit weight [2, 5] (outputs, inputs)"
    )
    assert refused((1, 4), (2, 4, 1), (2,)) == (
        "FullyConnected 'layer': input [1, 4] does not fit weight [2, 4, 1] (outputs, inputs)"
    )
    assert refused((1, 4), (2, 4), (3,)) == "FullyConnected 'layer': bias [3] does not fit 2 outputs"


def test_accumulator_of_given_integers_that_int32_does_not_hold_is_refused_by_channel_and_bound() -> None:
    graph = given_integers(FullyConnected(), (1, 140_000), -np.ones((1, 140_000)), (-1, 127 / 128))
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, random_inputs(graph, 2))
    assert str(caught.value) == (
        "FullyConnected 'layer': the accumulator of output channel 0 can reach 2275840000, more than int32 holds "
        "(2147483647); split the layer, which sums 140000 products"
    )


def test_bias_of_given_integers_that_int32_does_not_hold_is_refused_by_channel() -> None:
    with pytest.raises(QuantizationError) as caught:
        given_integers(FullyConnected(), (1, 200_000), np.ones((1, 200_000)), (-1, 0))
    assert str(caught.value) == (
        "FullyConnected 'layer': bias of channel 0 needs 3225800000, more than int32 holds; "
        "split the layer, which sums 200000 products"
    )
