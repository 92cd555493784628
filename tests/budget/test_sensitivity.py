"""Noise at the output from one layer's weights on coarser grids."""

from __future__ import annotations

import numpy as np

from mcuq.budget.sensitivity import LADDER, measure_sensitivities
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.softmax import Softmax


def network(first: Array, second: Array) -> Graph:
    """x -> first -> second -> Softmax."""
    builder = GraphBuilder("net")
    y = builder.input("x", (1, first.shape[1]))
    for name, weight in (("first", first), ("second", second)):
        bias = builder.constant(np.zeros(len(weight), np.float32), f"{name}.b")
        y = builder.add(FullyConnected(), [y, builder.constant(weight, f"{name}.w"), bias], name)
    builder.outputs.append(builder.add(Softmax(), [y], "y"))
    return builder.graph()


def samples(count: int = 12, size: int = 16) -> list[dict[str, Array]]:
    rng = np.random.default_rng(1)
    return [{"x": rng.normal(size=(1, size)).astype(np.float32)} for _ in range(count)]


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_fewer_bits_make_more_noise_and_less_bytes() -> None:
    found = measure_sensitivities(network(normal(20, 16), normal(5, 20)), samples())
    assert [layer.layer for layer in found] == ["first", "second"]
    for layer, elements in zip(found, (320, 100), strict=True):
        assert layer.noise[0] < layer.noise[1] < layer.noise[2]
        assert layer.weight_bytes == (elements, elements // 2, elements // 4)
    assert len(LADDER) == 3


def test_weights_that_are_on_the_grid_already_cost_nothing() -> None:
    integers = np.random.default_rng(2).integers(-7, 8, (20, 16)).astype(np.float32)
    integers[:, 0] = 7
    found = measure_sensitivities(network(integers / 8, normal(5, 20)), samples())
    assert found[0].noise[1] < 1e-6 * found[0].noise[2]


def test_noise_is_that_of_the_logits_and_not_of_probabilities() -> None:
    loud = measure_sensitivities(network(normal(20, 16), 100 * normal(5, 20)), samples())
    quiet = measure_sensitivities(network(normal(20, 16), normal(5, 20)), samples())
    assert np.allclose(loud[0].noise, np.array(quiet[0].noise) * 1e4, rtol=1e-3)


def test_a_layer_nobody_depends_on_is_free() -> None:
    first, second = normal(20, 16), normal(5, 20)
    second[:] = 0
    second[0, 0] = 1
    first[1:] = 0
    found = measure_sensitivities(network(first, second), samples())
    assert found[1].noise == (0.0, 0.0, 0.0)


def test_a_tick_follows_each_layer() -> None:
    ticks: list[None] = []
    measure_sensitivities(network(normal(20, 16), normal(5, 20)), samples(2), lambda: ticks.append(None))
    assert len(ticks) == 2
