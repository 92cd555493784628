"""Pruning: what goes, what stays, and that every output byte is as before."""

from __future__ import annotations

import numpy as np
import pytest
from selections import quick
from support import INT8, check_c, random_inputs, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.simulate import simulate
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.prelu import PRelu
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.transpose import Transpose
from mcuq.ops.weighted import layer_requantization
from mcuq.ops.window import Window
from mcuq.quantize import NAMED, UNPRUNED, LayerScheme, Pruned, Scheme, prune_graph

INT16 = Scheme(NAMED["int16"])
ONE = Window((1, 1))
SAME = Window((3, 3), pads=(1, 1, 1, 1))


class Network:
    """A float graph under construction whose convolutions have planted dead output channels."""

    def __init__(self, seed: int = 0, channels: int = 3) -> None:
        self.rng = np.random.default_rng(seed)
        self.builder = GraphBuilder("network")
        self.x = self.builder.input("x", (1, 6, 5, channels))

    def conv(self, x: str, name: str, outputs: int, dead: dict[int, float], window: Window = ONE) -> str:
        """A convolution with ReLU; `dead` channels have weights of 1e-20 and the bias given."""
        inputs = self.builder.tensors[x].shape[3]
        return self._weighted(Conv2d(window, minimum=0.0), x, name, (outputs, *window.kernel, inputs), dead)

    def depthwise(self, x: str, name: str, window: Window = SAME, dead: dict[int, float] | None = None) -> str:
        channels = self.builder.tensors[x].shape[3]
        op = Conv2d(window, channels, minimum=0.0)
        return self._weighted(op, x, name, (channels, *window.kernel, 1), dead or {})

    def dense(self, x: str, name: str, outputs: int) -> str:
        return self._weighted(FullyConnected(), x, name, (outputs, self.builder.tensors[x].shape[1]), {})

    def _weighted(self, op: Operator, x: str, name: str, shape: tuple[int, ...], dead: dict[int, float]) -> str:
        weight, bias = self.rng.normal(0, 0.5, shape), self.rng.normal(0.2, 0.3, shape[0])
        for channel, value in dead.items():
            weight[channel] *= 1e-20
            bias[channel] = value
        constants = [self.builder.constant(v.astype(np.float32), f"{name}.{i}") for i, v in enumerate((weight, bias))]
        return self.builder.add(op, [x, *constants], name=name)

    def add(self, op: Operator, *inputs: str, name: str | None = None) -> str:
        return self.builder.add(op, list(inputs), name=name)

    def integer(self, *outputs: str, seed: int = 0, scheme: Scheme = INT8) -> Graph:
        self.builder.outputs += outputs
        return with_ranges(self.builder.graph(), seed, scheme=scheme)


def pruned_equally(graph: Graph, seed: int = 0) -> tuple[Graph, Pruned]:
    """The pruned graph, after both gave the same bytes."""
    pruned, saved = prune_graph(graph)
    inputs = random_inputs(graph, 40, seed)
    want, got = simulate(graph, inputs), simulate(pruned, inputs)
    for name in graph.outputs:
        assert np.array_equal(want[name], got[name]), f"{graph.text()}{pruned.text()}{name}"
    assert saved.macs == graph.macs() - pruned.macs()
    return pruned, saved


def channels_of(graph: Graph) -> dict[str, int]:
    return {node.name: graph.tensors[node.output].shape[-1] for node in graph.nodes}


def shapes(graph: Graph) -> str:
    """The graph's text without scales."""
    return "\n".join(" ".join(word for word in line.split() if "*(q" not in word) for line in graph.text().splitlines())


def test_a_dead_channel_goes_from_its_producer_its_followers_and_the_weights_behind() -> None:
    net = Network()
    y = net.conv(net.x, "first", 8, {1: 0.0, 6: -3.0})
    y = net.depthwise(y, "second")
    graph = net.integer(net.conv(y, "third", 4, {}))
    pruned, saved = pruned_equally(graph)
    assert shapes(graph) == (
        "input x: int8[1,6,5,3]\n"
        "first: int8[1,6,5,8] = Conv2d(x, first.0:int8[8,1,1,3], first.1:int32[8]) minimum=0.0 "
        "window=Window(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), ceil_mode=False)\n"
        "second: int8[1,6,5,8] = Conv2d(first, second.0:int8[8,3,3,1], second.1:int32[8]) minimum=0.0 "
        "window=Window(kernel=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), ceil_mode=False) groups=8\n"
        "third: int8[1,6,5,4] = Conv2d(second, third.0:int8[4,1,1,8], third.1:int32[4]) minimum=0.0 "
        "window=Window(kernel=(1, 1), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), ceil_mode=False)\n"
        "output third"
    )
    want = shapes(graph).replace("5,8]", "5,6]").replace("8,1,1,3]", "6,1,1,3]").replace("8,3,3,1]", "6,3,3,1]")
    want = want.replace("4,1,1,8]", "4,1,1,6]").replace("int32[8]", "int32[6]").replace("groups=8", "groups=6")
    assert shapes(pruned) == want
    assert saved == Pruned(channels=4, macs=2 * 30 * (3 + 9 + 4), parameter_bytes=2 * (3 + 9 + 4 + 4 + 4))


def test_a_dead_channel_goes_from_what_is_converted_too() -> None:
    net = Network()
    y = net.add(Convert("int16"), net.conv(net.x, "first", 8, {1: 0.0, 6: -3.0}), name="wide")
    scheme = Scheme(layers={"third": LayerScheme("int8", "int16")})
    pruned, saved = pruned_equally(net.integer(net.conv(y, "third", 4, {}), scheme=scheme))
    assert channels_of(pruned)["first"] == channels_of(pruned)["wide"] == 6
    assert saved.channels == 4


@pytest.mark.parametrize("scheme", [INT8, INT16], ids=["int8", "int16"])
def test_a_dead_channel_goes_through_a_slope_a_channel(scheme: Scheme) -> None:
    """Whether its value is above the bend or below, and with its slope."""
    net = Network()
    y = net._weighted(Conv2d(ONE), net.x, "first", (8, 1, 1, 3), {1: 0.4, 6: -3.0})
    slope = net.builder.constant(np.linspace(-0.5, 2, 8, dtype=np.float32).reshape(1, 1, 1, 8), "slope")
    y = net.add(PRelu(), y, slope, name="act")
    pruned, saved = pruned_equally(net.integer(net.conv(y, "last", 4, {}), scheme=scheme))
    assert channels_of(pruned) == {"first": 6, "act": 6, "last": 4}
    assert saved.channels == 4


def test_the_model_without_dead_channels_stays_as_it_is() -> None:
    net = Network()
    graph = net.integer(net.conv(net.depthwise(net.x, "first"), "second", 4, {}))
    pruned, saved = prune_graph(graph)
    assert saved == UNPRUNED
    assert pruned.text() == graph.text()


def test_a_constant_other_than_the_padding_goes_only_where_nothing_pads_it() -> None:
    net = Network()
    y = net.conv(net.x, "first", 8, {2: 0.7})
    graph = net.integer(
        net.conv(y, "padded", 4, {}, SAME), net.conv(net.conv(net.x, "other", 8, {2: 0.7}), "bare", 4, {})
    )
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"first": 8, "padded": 4, "other": 7, "bare": 4}


def test_a_constant_that_is_the_padding_goes_where_it_is_padded() -> None:
    net = Network()
    graph = net.integer(net.conv(net.conv(net.x, "first", 8, {2: -0.7}), "padded", 4, {}, SAME))
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"first": 7, "padded": 4}


def test_a_depthwise_layer_whose_border_differs_keeps_its_channel() -> None:
    net = Network()
    y = net.depthwise(net.conv(net.x, "first", 8, {2: 0.9}), "second")
    net.builder.tensors["second.0"].values[2] = 0.05
    net.builder.tensors["second.1"].values[2] = 0.1
    graph = net.integer(net.conv(y, "third", 4, {}))
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"first": 8, "second": 8, "third": 4}


def test_a_sum_loses_the_channels_that_both_branches_lose() -> None:
    net = Network()
    a = net.conv(net.x, "a", 8, {1: 0.3, 2: 0.0, 5: 0.5})
    b = net.conv(net.x, "b", 8, {1: 0.1, 3: 0.0, 5: 0.0})
    graph = net.integer(net.conv(net.add(Add(), a, b, name="sum"), "last", 4, {}))
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"a": 6, "b": 6, "sum": 6, "last": 4}


def test_what_only_dead_channels_read_goes_too() -> None:
    net = Network(1)
    first = net.conv(net.x, "first", 6, {})
    second = net.conv(first, "second", 5, {1: 0.2})
    graph = net.integer(net.conv(second, "third", 4, {}))
    weight = graph.layer(graph.nodes[1]).inputs[1].values
    weight[[0, 2, 3, 4], :, :, 3] = 0
    weight[1] = 0
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"first": 5, "second": 4, "third": 4}


def test_one_channel_stays_of_a_tensor_that_is_constant_throughout() -> None:
    net = Network()
    y = net.conv(net.x, "first", 3, {0: 0.4, 1: 0.1, 2: 0.2})
    pruned, _ = pruned_equally(net.integer(net.conv(y, "second", 4, {})))
    assert channels_of(pruned) == {"first": 1, "second": 4}


def test_inputs_and_outputs_keep_all_their_channels() -> None:
    net = Network()
    graph = net.integer(net.conv(net.x, "only", 6, {1: 0.3, 2: 0.1}))
    graph.layer(graph.nodes[0]).inputs[1].values[..., 0] = 0
    pruned, saved = pruned_equally(graph)
    assert saved == UNPRUNED
    assert pruned.text() == graph.text()


def test_a_layer_that_loses_its_largest_factor_requantizes_as_before() -> None:
    """The shift follows the largest factor; with a larger one, multipliers rounded anew would not be the old."""
    net = Network()
    y = net.depthwise(net.conv(net.x, "first", 8, {2: -1.0}), "second")
    net.builder.tensors["second.0"].values[2] *= 1e4
    graph = net.integer(net.conv(y, "third", 4, {}))
    pruned, _ = pruned_equally(graph)
    old, new = (layer_requantization(g.layer(g.nodes[1])) for g in (graph, pruned))
    kept = [m for channel, m in enumerate(old.multiplier) if channel != 2]
    finer = (new.shift - new.prescale) - (old.shift - old.prescale)
    assert finer > 5
    assert list(new.multiplier) == [m << finer for m in kept]


@pytest.mark.parametrize("scheme", [INT8, INT16], ids=["int8", "int16"])
@pytest.mark.parametrize("seed", quick(range(12), 4))
def test_a_random_network_gives_the_same_bytes(seed: int, scheme: Scheme) -> None:
    graph = _random_network(seed, scheme)
    pruned, saved = pruned_equally(graph, seed)
    assert saved.channels > 10
    if seed % 4 == 0:
        check_c(pruned, "host", seed=seed)


def _random_network(seed: int, scheme: Scheme) -> Graph:
    """Every operator that channels can pass through, and some that hold them back."""
    net = Network(seed, 4)
    rng = net.rng

    def dead(channels: int) -> dict[int, float]:
        chosen = rng.choice(channels, channels // 3, replace=False)
        return {int(c): float(rng.choice([0.0, -1.0, 0.5])) for c in chosen}

    a = net.conv(net.x, "a", 12, dead(12), SAME)
    b = net.depthwise(a, "b", dead=dead(12))
    c = net.add(Add(), net.conv(b, "c", 12, dead(12)), b)
    d = net.add(HardSwish(), net.add(MaxPool(Window((2, 2), pads=(0, 1, 1, 0))), c))
    e = net.add(Concat(3), net.conv(d, "e", 9, dead(9)), d)
    factor = net.builder.constant(rng.normal(size=(1, 1, 1, 21)).astype(np.float32))
    f = net.add(Mul(), net.add(Pad((0, 0, 1, 0), (0, 2, 0, 0), 0.0), e), factor)
    f = net.add(PRelu(), f, net.builder.constant(rng.normal(size=(1, 1, 1, 21)).astype(np.float32)))
    g = net.add(AveragePool(Window((2, 2), (2, 2), (1, 1, 0, 0))), f)
    g = net.add(Transpose((0, 2, 1, 3)), g)
    shape = net.builder.tensors[g].shape
    h = net.add(Slice((0, 1, 0, 0), (1, shape[1] - 1, *shape[2:]), (1, 1, 1, 1)), g)
    h = net.depthwise(net.conv(h, "h", 10, dead(10)), "i", Window((2, 2), (1, 2)), dead(10))
    flat = net.add(Reshape((1, net.builder.tensors[h].elements)), h)
    tail = [net.dense(flat, "flat", 6)]
    if seed % 2:
        mean = net.add(Mean((1, 2)), net.conv(h, "wide", 16, dead(16)))
        tail.append(net.add(Softmax(), net.dense(net.add(Reshape((1, 16)), mean), "classes", 4)))
    return net.integer(*tail, seed=seed, scheme=scheme)


def test_channels_pass_through_a_flatten() -> None:
    net = Network()
    y = net.conv(net.x, "first", 8, {1: 0.5, 4: 0.2})
    graph = net.integer(net.dense(net.add(Reshape((1, 240)), y, name="flat"), "last", 3))
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"first": 6, "flat": 180, "last": 3}


def test_what_mixes_channels_without_weights_keeps_them() -> None:
    net = Network()
    y = net.add(Mean((3,)), net.conv(net.x, "mean", 4, {1: 0.5}))
    z = net.add(Softmax(), net.conv(net.x, "softmax", 4, {1: 0.5}))
    t = net.add(Transpose((0, 3, 1, 2)), net.conv(net.x, "transposed", 4, {1: 0.5}))
    graph = net.integer(y, net.conv(z, "behind", 2, {}), t)
    _, saved = pruned_equally(graph)
    assert saved == UNPRUNED


def test_a_mean_of_squares_keeps_what_varies() -> None:
    """A product of two channels is constant only where both are."""
    net = Network()
    a, b = net.conv(net.x, "a", 6, {1: 0.5, 2: 0.1}), net.conv(net.x, "b", 6, {2: 0.5, 3: 0.0})
    graph = net.integer(net.conv(net.add(Mul(), a, b, name="product"), "last", 4, {}))
    pruned, _ = pruned_equally(graph)
    assert channels_of(pruned) == {"a": 4, "b": 4, "product": 4, "last": 4}


def test_constants_whose_products_leave_int32_stay() -> None:
    """Sums of int16 have 64 bits where they need them; a bias has 32."""
    net = Network()
    x = net.conv(net.x, "first", 3000, dict.fromkeys(range(1, 3000), 5.0))
    weight = net.builder.constant(np.ones((2, 1, 1, 3000), np.float32))
    bias = net.builder.constant(np.zeros(2, np.float32))
    y = net.add(Conv2d(ONE), x, weight, bias, name="last")
    pruned, saved = pruned_equally(net.integer(y, scheme=INT16))
    assert channels_of(pruned)["first"] == 3000
    assert saved == UNPRUNED
