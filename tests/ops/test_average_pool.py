"""AveragePool: the simulator against float, divisors at the border, relations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases.pools import BOUNDS, average_pools
from selections import quick
from support import (
    beside,
    check_c,
    check_float,
    check_portable_c,
    float_graph,
    integer_branches,
    integer_graph,
    random_inputs,
)
from windows import random_window, window_cases

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.mean import Mean
from mcuq.ops.pad import Pad
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph

STEPS = 0.5


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(10):
        check_float(integer_branches(average_pools(seed, 30), seed), STEPS)


def counts(window: Window, include: bool, height: int, width: int) -> list[list[int]]:
    graph = float_graph(AveragePool(window, include), [(1, height, width, 1)])
    (layer,) = graph.layers()
    return layer.op.counts(layer).tolist()


def test_divisor_counts_the_image_or_the_padded_image() -> None:
    window = Window((3, 2), (2, 1), (1, 0, 1, 1))
    assert counts(window, False, 4, 3) == [[4, 4, 2], [6, 6, 3]]
    assert counts(window, True, 4, 3) == [[6, 6, 6], [6, 6, 6]]


def test_window_that_reaches_beyond_the_padded_image_counts_just_what_is_on_it() -> None:
    window = Window((2, 2), (2, 2), (1, 1, 0, 0), ceil_mode=True)
    assert counts(window, False, 4, 4) == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert counts(window, True, 4, 4) == [[4, 4, 2], [4, 4, 2], [2, 2, 1]]


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("value", [-128, -3, 0, 127])
def test_average_of_a_constant_image_is_the_constant(include: bool, value: int) -> None:
    window = Window((3, 3), (2, 2), (0, 0, 0, 0) if include else (2, 1, 1, 2))
    graph = integer_graph(AveragePool(window, include), [(1, 6, 6, 2)], {"x0": (-1, 3), "y": (-1, 3)})
    y = simulate(graph, {"x0": np.full((1, 1, 6, 6, 2), value, np.int8)})["y"]
    assert np.unique(y).tolist() == [value]


def test_window_of_the_whole_image_is_the_mean() -> None:
    ranges = {"x0": (-1, 3), "y": (-0.4, 0.7)}
    pool = integer_graph(AveragePool(Window((4, 5))), [(2, 4, 5, 3)], ranges)
    mean = integer_graph(Mean((1, 2)), [(2, 4, 5, 3)], ranges)
    x = random_inputs(pool, 20)
    assert np.array_equal(simulate(pool, x)["y"], simulate(mean, x)["y"])


@pytest.mark.parametrize("x_range", [(-1.0, 1.0), (0.0, 3.0), (-0.2, 5.0)])
def test_padding_in_a_node_of_its_own_is_padding_that_is_counted(x_range: tuple[float, float]) -> None:
    window = Window((3, 2), (2, 1), (1, 0, 2, 1))
    builder = GraphBuilder("padded")
    builder.input("x0", (1, 6, 5, 2))
    padded = builder.add(Pad((0, 1, 0, 0), (0, 2, 1, 0)), ["x0"])
    builder.outputs.append(builder.add(AveragePool(replace(window, pads=(0, 0, 0, 0))), [padded], "y"))
    ranges = {"x0": x_range, "y": (-0.6, 0.9)}
    inside = integer_graph(AveragePool(window, True), [(1, 6, 5, 2)], ranges)
    x = random_inputs(inside, 10)
    assert np.array_equal(simulate(inside, x)["y"], simulate(quantize_graph(builder.graph(), ranges), x)["y"])


def test_batch_of_two_is_twice_a_batch_of_one_and_permuted_channels_commute() -> None:
    for x, window in window_cases():
        one, two = (integer_graph(AveragePool(window), [(batch, *x[1:])], {"y": (-0.5, 0.4)}) for batch in (1, 2))
        values = random_inputs(two, 4)["x0"]
        halves = [simulate(one, {"x0": values[:, i : i + 1]})["y"] for i in range(2)]
        whole = simulate(two, {"x0": values})["y"]
        assert np.array_equal(whole, np.concatenate(halves, axis=1))
        assert np.array_equal(simulate(two, {"x0": values[..., ::-1]})["y"], whole[..., ::-1])


def test_window_larger_than_the_padded_image_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(AveragePool(Window((3, 5), pads=(0, 1, 0, 0))), [(1, 3, 3, 1)])
    assert str(caught.value) == "AveragePool 'layer': a window of 5 does not fit an input of 3 with pads 1 and 0"


# Halves away from zero, of the integers as they are


def away(seed: int) -> Graph:
    """Layers side by side, each of one quantization for input and output; one of 256 taps, the most for 16 bits."""
    rng = np.random.default_rng(seed)
    ranges = ((-1.0, 1.0), (0.0, 3.0), (-1.0, 3.0), (-2.0, 0.0))
    shapes = [
        *window_cases(),
        ((1, 2, 2, 60), Window((2, 2))),
        ((1, 8, 8, 9), Window((8, 8))),
        ((1, 16, 16, 5), Window((16, 16))),
    ]
    graphs = []
    for index, (x, window) in enumerate([*shapes, *(random_window(rng) for _ in range(6))]):
        low, high = BOUNDS[index % len(BOUNDS)]
        op = AveragePool(window, halves_away=True, minimum=low, maximum=high)
        graphs.append(integer_graph(op, [x], dict.fromkeys(("x0", "y"), ranges[index % len(ranges)])))
    return beside(graphs)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits_with_halves_away(on: str) -> None:
    check_portable_c(away(0), on)


@pytest.mark.parametrize("board", quick(["cortex-m4", "cortex-m0", "cortex-m55", "rv32imc"]))
def test_c_of_other_cpus_gives_the_simulators_bits_with_halves_away(board: str) -> None:
    check_c(away(1), "emulator", board=board)


@pytest.mark.parametrize(
    "window",
    [
        Window((1, 1)),
        Window((1, 2)),
        Window((2, 3)),
        Window((3, 4), pads=(1, 2, 2, 1)),
        Window((8, 8)),
        Window((7, 10)),
        Window((16, 16)),
        Window((23, 89)),
    ],
    ids=lambda window: "x".join(map(str, window.kernel)),
)
def test_halves_go_away_from_zero(window: Window) -> None:
    """Sums around all halves, and the most that there are."""
    height, width = window.kernel
    count = height * width
    graph = integer_graph(AveragePool(window, halves_away=True), [(1, height, width, 1)], {"x0": (-1, 3), "y": (-1, 3)})
    (layer,) = graph.layers()
    rng = np.random.default_rng(count)
    sums = [
        m * count + half + off for m in range(-128, 128) for half in (count // 2, -(count // 2)) for off in (-1, 0, 1)
    ]
    x = []
    for total in {s for s in sums if -128 * count <= s <= 127 * count}:
        base, more = divmod(total, count)
        values = np.full(count, base)
        values[rng.permutation(count)[:more]] += 1
        x.append(values)
    images = np.array(x, np.int8).reshape(-1, 1, 1, height, width, 1)
    got = simulate(graph, {"x0": images})["y"]
    totals = np.zeros(got.shape, np.int64)
    for taps, region in window.taps(images.astype(np.int64).reshape(-1, height, width, 1), totals[:, 0]):
        region += taps
    counts = layer.op.counts(layer)[..., None]
    wanted = np.sign(totals) * ((2 * np.abs(totals) + counts) // (2 * counts))
    np.testing.assert_array_equal(got, wanted)


def test_halves_go_up_where_quantizations_differ_or_padding_is_counted() -> None:
    window = Window((2, 2), pads=(1, 1, 0, 0))
    x = [(1, 6, 6, 3)]
    for include, ranges in ((False, {"x0": (-1, 3), "y": (-1, 2)}), (True, {"x0": (-1, 3), "y": (-1, 3)})):
        graphs = [integer_graph(AveragePool(window, include, halves_away=away), x, ranges) for away in (False, True)]
        samples = random_inputs(graphs[0], 30)
        one, other = (simulate(graph, samples)["y"] for graph in graphs)
        assert np.array_equal(one, other)
