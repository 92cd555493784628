"""What holds for every pass and for all of them: the meaning stays, a second run changes nothing, no copies remain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from networks import RELU, Network, assert_same_meaning, random_network
from support import check_c, check_portable_c, with_ranges

from mcuq.graph.ir import Graph
from mcuq.ops.add import Add
from mcuq.ops.affine import Affine
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.concat import Concat
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.passes import PIPELINE, Pass, optimize


@pytest.mark.parametrize("seed", range(40))
def test_pipeline_keeps_the_meaning_of_random_networks(seed: int) -> None:
    graph = random_network(seed)
    assert_same_meaning(graph, optimize(graph))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 400))
def test_pipeline_keeps_the_meaning_of_many_random_networks(seed: int) -> None:
    graph = random_network(seed)
    assert_same_meaning(graph, optimize(graph))


@pytest.mark.parametrize("rewrite", PIPELINE, ids=lambda rewrite: rewrite.__name__)
def test_pass_alone_keeps_the_meaning_of_random_networks(rewrite: Pass) -> None:
    for seed in range(12):
        graph = random_network(seed)
        assert_same_meaning(graph, rewrite(graph))


def check_that_twice_is_once(seed: int) -> None:
    graph = random_network(seed)
    for rewrite in PIPELINE:
        graph = rewrite(graph)
        assert rewrite(graph).text() == graph.text(), f"{rewrite.__name__} of network {seed}"


def test_each_pass_run_twice_is_the_pass_run_once() -> None:
    for seed in range(60):
        check_that_twice_is_once(seed)


@pytest.mark.slow
def test_each_pass_run_twice_is_the_pass_run_once_for_many_random_networks() -> None:
    for seed in range(60, 800):
        check_that_twice_is_once(seed)


def test_pass_leaves_the_graph_it_is_given_alone() -> None:
    for seed in range(10):
        graph = random_network(seed)
        text, values = graph.text(), {n: t.values.copy() for n, t in graph.tensors.items() if t.is_constant}
        optimize(graph)
        assert graph.text() == text
        assert all(np.array_equal(graph.tensors[name].values, value) for name, value in values.items())


def test_pipeline_leaves_nothing_that_has_no_integer_meaning() -> None:
    for seed in range(60):
        assert not any(isinstance(node.op, Affine) for node in optimize(random_network(seed)).nodes)


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("seed", range(3))
def test_c_of_random_networks_gives_the_simulators_bits(seed: int, on: str) -> None:
    check_portable_c(with_ranges(optimize(random_network(seed)), seed), on, samples=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 40))
def test_c_of_many_random_networks_gives_the_simulators_bits(seed: int) -> None:
    """With the kernels of the Cortex-M4."""
    check_c(with_ranges(optimize(random_network(seed)), seed), "host" if seed % 2 else "emulator", samples=4)


# Networks of which no copy must remain but those at the model's edges.


def conv_bn_relu_conv(net: Network) -> str:
    x = net.add(RELU, [net.batch_norm(net.conv(net.input("x", (1, 3, 6, 5)), 4))])
    return net.conv(x, 2)


def residual(net: Network) -> str:
    x = net.conv(net.input("x", (1, 3, 6, 5)), 4)
    y = net.batch_norm(net.conv(net.add(RELU, [net.batch_norm(net.conv(x, 4))]), 4))
    return net.conv(net.add(RELU, [net.add(Add(), [y, x])]), 2)


def squeeze_excite(net: Network) -> str:
    return net.conv(net.squeeze_excite(net.conv(net.input("x", (1, 3, 6, 5)), 4)), 2)


def signal(net: Network) -> str:
    x = net.add(RELU, [net.batch_norm(net.conv(net.input("x", (1, 3, 9)), 4))])
    return net.conv(x, 2)


def branches(net: Network) -> str:
    x = net.conv(net.input("x", (1, 3, 6, 5)), 4)
    a, b = net.add(RELU, [net.conv(x, 2)]), net.over_images(MaxPool(Window((3, 3), pads=(1, 1, 1, 1))), x)
    return net.conv(net.add(Concat(1), [a, b, net.batch_norm(x)]), 2)


def pools(net: Network) -> str:
    x = net.over_images(AveragePool(Window((2, 2))), net.conv(net.input("x", (1, 3, 6, 5)), 4))
    return net.conv(net.over_images(MaxPool(Window((2, 2))), x), 2)


def count_transposes(graph: Graph) -> int:
    return sum(isinstance(node.op, Transpose) for node in graph.nodes)


@pytest.mark.parametrize("network", [conv_bn_relu_conv, residual, squeeze_excite, signal, branches, pools])
def test_transposes_stay_only_where_the_model_begins_and_ends(network: Callable[[Network], str]) -> None:
    net = Network()
    before = net.finish(network(net))
    after = optimize(before)
    assert count_transposes(after) == 2, after.text()
    assert_same_meaning(before, after)


@pytest.mark.parametrize("network", [conv_bn_relu_conv, residual, squeeze_excite, signal, branches, pools])
def test_flatten_before_a_fully_connected_layer_needs_no_transpose(network: Callable[[Network], str]) -> None:
    net = Network()
    before = net.finish(net.linear(net.flatten(network(net)), 5))
    after = optimize(before)
    assert count_transposes(after) == 1, after.text()
    assert_same_meaning(before, after)


def test_global_mean_before_a_fully_connected_layer_needs_no_transpose() -> None:
    net = Network()
    pooled = net.add(Mean((2, 3)), [conv_bn_relu_conv(net)])
    before = net.finish(net.linear(net.flatten(pooled), 5))
    after = optimize(before)
    assert count_transposes(after) == 1, after.text()
    assert_same_meaning(before, after)


def test_one_channel_needs_no_transpose_at_all() -> None:
    net = Network()
    before = net.finish(net.linear(net.flatten(net.conv(net.input("x", (1, 1, 6, 5)), 4)), 3))
    after = optimize(before)
    assert count_transposes(after) == 0, after.text()
    assert_same_meaning(before, after)
