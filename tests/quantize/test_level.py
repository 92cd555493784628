from collections.abc import Callable

import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.quantize import quantize_on_samples
from mcuq.quantize.channels import channel_axes
from mcuq.quantize.factors import find_classes, with_factors
from mcuq.quantize.level import level
from mcuq.quantize.scheme import parse_scheme
from mcuq.quantize.seen import see

CHANNELS = 16
SAME = Window((3, 3), pads=(1, 1, 1, 1))
HALVE = Window((2, 2), strides=(2, 2))


class Net:
    """Layers of random weights, whose output channels are `give` times, input channels read `take` times as large."""

    def __init__(self, shape: tuple[int, ...] = (1, 8, 8, 3)) -> None:
        self.builder, self.rng = GraphBuilder("net"), np.random.default_rng(3)
        self.x = self.builder.input("x", shape)

    def conv(self, x: str, outputs: int, give: Array | float = 1.0, take: Array | float = 1.0, **bounds: float) -> str:
        channels = self.builder.tensors[x].shape[-1]
        weight = self.rng.normal(size=(outputs, 3, 3, channels)) * np.sqrt(2 / 9 / channels) * take
        return self.layer(Conv2d(SAME, **bounds), x, weight, give)

    def depthwise(self, x: str, give: Array | float = 1.0) -> str:
        channels = self.builder.tensors[x].shape[-1]
        weight = self.rng.normal(size=(channels, 3, 3, 1)) * np.sqrt(2 / 9)
        return self.layer(Conv2d(SAME, channels, minimum=0.0), x, weight, give)

    def dense(self, x: str, outputs: int, give: Array | float = 1.0, take: Array | float = 1.0) -> str:
        channels = self.builder.tensors[x].shape[-1]
        weight = self.rng.normal(size=(outputs, channels)) * np.sqrt(2 / channels) * take
        return self.layer(FullyConnected(minimum=0.0), x, weight, give)

    def layer(self, op: Operator, x: str, weight: Array, give: Array | float) -> str:
        factors = np.broadcast_to(give, len(weight))
        weight = weight * factors.reshape(-1, *(1,) * (weight.ndim - 1))
        bias = self.rng.normal(size=len(weight)) * 0.1 * factors
        constants = [self.builder.constant(a.astype(np.float32)) for a in (weight, bias)]
        return self.builder.add(op, [x, *constants])

    def add(self, op: Operator, *inputs: str) -> str:
        return self.builder.add(op, list(inputs))

    def graph(self, *outputs: str) -> Graph:
        self.builder.outputs += outputs
        return self.builder.graph()


def uneven(ratio: float) -> Array:
    return np.where(np.arange(CHANNELS) % 2, 1.0, 1 / ratio)


def between(*steps: Operator) -> Callable[[float], Graph]:
    """Two convolutions and what stands between them."""

    def build(ratio: float) -> Graph:
        net, s = Net(), uneven(ratio)
        x = net.conv(net.x, CHANNELS, s)
        for step in steps:
            x = net.add(step, x)
        return net.graph(net.conv(x, 8, take=1 / s))

    return build


def relu6(ratio: float) -> Graph:
    net, s = Net(), uneven(ratio)
    return net.graph(net.conv(net.conv(net.x, CHANNELS, s, minimum=0.0, maximum=6.0), 8, take=1 / s))


def depthwise(ratio: float) -> Graph:
    """What is small goes through the depthwise layer, and only the last one makes up for it."""
    net, s = Net(), uneven(ratio)
    return net.graph(net.conv(net.depthwise(net.conv(net.x, CHANNELS, s, minimum=0.0)), 8, take=1 / s))


def dense(ratio: float) -> Graph:
    net, s = Net((1, 24)), uneven(ratio)
    return net.graph(net.dense(net.dense(net.x, CHANNELS, s), 8, take=1 / s))


def flattened(ratio: float) -> Graph:
    net, s = Net(), uneven(ratio)
    x = net.add(MaxPool(HALVE), net.conv(net.x, CHANNELS, s))
    x = net.add(Reshape((1, 16 * CHANNELS)), net.add(AveragePool(Window((1, 1))), x))
    return net.graph(net.dense(x, 8, take=np.tile(1 / s, 16)))


def residual(ratio: float) -> Graph:
    net, s = Net(), uneven(ratio)
    x = net.conv(net.x, CHANNELS, s)
    for _ in range(2):
        x = net.add(Add(), x, net.conv(net.conv(x, CHANNELS, take=1 / s, minimum=0.0), CHANNELS, s))
    return net.graph(net.conv(x, 8, take=1 / s))


def several_readers(ratio: float) -> Graph:
    net, s = Net(), uneven(ratio)
    x = net.add(Clip(minimum=0.0), net.conv(net.x, CHANNELS, s))
    return net.graph(net.conv(x, 8, take=1 / s), net.conv(net.add(Slice((0, 0, 0, 8), (1, 8, 8, 8), (1,) * 4), x), 4))


def joined(ratio: float) -> Graph:
    """Concat of a Concat, of which another layer reads a part."""
    net = Net()
    a, b, c = net.conv(net.x, 6), net.conv(net.x, 4, 1 / ratio), net.conv(net.x, 4, np.sqrt(ratio))
    inner = net.add(Concat(3), a, b)
    outer = net.add(MaxPool(HALVE), net.add(Clip(minimum=0.0), net.add(Concat(3), inner, c)))
    take = np.repeat([1, ratio, 1 / np.sqrt(ratio)], [6, 4, 4])
    return net.graph(net.conv(outer, 8, take=take), net.conv(inner, 3, take=take[:10]))


def joined_in_the_models_layout(ratio: float) -> Graph:
    net = Net()
    parts = [net.add(Transpose((0, 3, 1, 2)), net.conv(net.x, 6, give)) for give in (1.0, 1 / ratio)]
    x = net.add(Transpose((0, 2, 3, 1)), net.add(Concat(1), *parts))
    return net.graph(net.conv(x, 8, take=np.repeat([1, ratio], 6)))


def joined_with_a_function(ratio: float) -> Graph:
    """A table's output keeps its scale: the convolution beside it takes that one."""
    net = Net()
    x = net.add(Concat(3), net.add(Tanh(), net.conv(net.x, 6)), net.conv(net.x, 6, ratio))
    return net.graph(net.conv(x, 8, take=np.repeat([1, 1 / ratio], 6)))


NETWORKS: dict[str, Callable[[float], Graph]] = {
    "relu": between(Clip(minimum=0.0)),
    "leaky relu": between(LeakyRelu(0.1)),
    "pools": between(MaxPool(HALVE), AveragePool(HALVE)),
    "mean": between(Clip(minimum=0.0), Mean((1, 2))),
    "relu6": relu6,
    "depthwise": depthwise,
    "flattened": flattened,
    "residual": residual,
    "several readers": several_readers,
    "joined": joined,
    "joined in the model's layout": joined_in_the_models_layout,
    "joined with a function": joined_with_a_function,
}


def samples_of(graph: Graph, count: int, seed: int = 1) -> list[dict[str, Array]]:
    rng = np.random.default_rng(seed)
    return [{"x": rng.normal(size=graph.tensors["x"].shape).astype(np.float32)} for _ in range(count)]


def sqnr(graph: Graph, scheme: str = "int8", samples: int = 48) -> float:
    """dB of the quantized graph's worst output against ONNX Runtime's float results, on other samples."""
    quantized = quantize_on_samples(graph, samples_of(graph, samples), scheme=parse_scheme(scheme))
    unseen = samples_of(graph, 32, seed=2)
    model = FloatModel(write_onnx(graph))
    want = [model.run(sample) for sample in unseen]
    integer = quantized.graph
    stacked = quantize_inputs(integer, {"x": np.stack([sample["x"] for sample in unseen])})
    got = simulate(integer, stacked)
    found = []
    for name in graph.outputs:
        real = np.stack([w[name] for w in want]).astype(np.float64)
        error = integer.tensors[name].decode(got[name]) - real
        found.append(float(10 * np.log10((real**2).sum() / (error**2).sum())))
    return min(found)


@pytest.mark.parametrize("ratio", [pytest.param(200, marks=pytest.mark.slow), 2000])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_ratio_of_channels_is_a_cliff(name: str, ratio: float) -> None:
    assert sqnr(NETWORKS[name](ratio)) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1, 8, 64, 500, 1000])
@pytest.mark.parametrize("name", ["relu", "depthwise", "residual", "joined"])
def test_ratios_between_are_none_either(name: str, ratio: float) -> None:
    assert sqnr(NETWORKS[name](ratio)) >= (29 if (name, ratio) == ("depthwise", 8) else 30)


@pytest.mark.parametrize("ratio", [1, 500, 2000])
def test_dense_layers_lose_nothing_to_uneven_channels(ratio: float) -> None:
    assert sqnr(dense(ratio), samples=128) >= 30


@pytest.mark.parametrize("samples", [8, 64])
@pytest.mark.parametrize("ratio", [8, 64])
def test_dense_layers_of_few_samples_have_what_even_channels_have(ratio: float, samples: int) -> None:
    """Each sample is one value of a channel."""
    assert sqnr(dense(ratio), samples=samples) >= sqnr(dense(1), samples=samples) - 2


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_channels_that_fired_in_none_of_few_samples_are_not_clipped(samples: int) -> None:
    assert sqnr(dense(500), samples=samples) >= sqnr(dense(1), samples=samples) - 2


@pytest.mark.parametrize("name", ["relu", "residual", "joined"])
def test_int16_activations_do_not_lose_what_int8_weights_could_not_hold(name: str) -> None:
    assert sqnr(NETWORKS[name](500), "int16") >= 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "residual"])
def test_int4_weights_lose_as_much_as_those_of_even_channels(name: str) -> None:
    assert sqnr(NETWORKS[name](500), "int4") >= sqnr(NETWORKS[name](1), "int4") - 1


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("name", ["relu", "depthwise", "residual", "joined"])
def test_few_samples_are_enough(name: str, samples: int) -> None:
    assert sqnr(NETWORKS[name](500), samples=samples) >= sqnr(NETWORKS[name](1), samples=samples) - 2


def test_a_function_that_passes_no_factors_is_said() -> None:
    graph = between(HardSwish())(500)
    assert quantize_on_samples(graph, samples_of(graph, 16)).notes == (
        "channels of 'hardswish' differ in range by 1225:1, which 'conv2d_2' makes up for by its weights, and "
        "'hardswish' (HardSwish) keeps them from being brought to one scale: expect 0 dB there; give that layer and "
        "the one before int16 activations",
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_said_where_factors_helped(name: str) -> None:
    graph = NETWORKS[name](500)
    assert quantize_on_samples(graph, samples_of(graph, 16)).notes == ()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "relu6"])
def test_any_factors_of_classes_give_the_same_network(name: str) -> None:
    graph = NETWORKS[name](1)
    classes = find_classes(graph)
    rng = np.random.default_rng(5)
    factors = rng.uniform(0.5, 2.0, 1 + max(int(of.max()) for of in classes.of.values()))
    factors[0] = 1
    changed = with_factors(graph, {name: factors[of] for name, of in classes.of.items()})
    assert any((factors[of] != 1).any() for of in classes.of.values())
    before, after = FloatModel(write_onnx(graph)), FloatModel(write_onnx(changed))
    for sample in samples_of(graph, 3):
        want, got = before.run(sample), after.run(sample)
        for output in graph.outputs:
            np.testing.assert_allclose(got[output], want[output], atol=1e-4 * np.abs(want[output]).max())


def test_a_bound_above_lets_pass_what_stays_below_it() -> None:
    graph = relu6(500)
    samples = samples_of(graph, 16)
    changed, told = level(graph, see(graph, samples), {"conv2d": 255.0})
    before, after = FloatModel(write_onnx(graph)), FloatModel(write_onnx(changed))
    name, (output,) = "conv2d", graph.outputs
    factors = told[name].largest.max(axis=0) / see(graph, samples)[name].largest.max(axis=0)
    assert factors.max() > 100
    assert told[name].largest.max() <= 6.001
    for sample in samples:
        want, got = before.run(sample)[output], after.run(sample)[output]
        np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def test_channels_are_where_transposes_put_them() -> None:
    graph = joined_in_the_models_layout(1)
    axes = channel_axes(graph)
    assert [axes[node.output] for node in graph.nodes if isinstance(node.op, Concat)] == [1]


def test_a_view_does_not_say_where_the_channels_of_what_is_joined_are() -> None:
    """A constant times an image of the model's layout is a depthwise layer along its width: it had 6 dB, 100 times less
    than what it is joined with, where the width was taken for the channels."""
    net = Net((1, 4, 6, 6))
    large = net.add(Transpose((0, 3, 1, 2)), net.conv(net.add(Transpose((0, 2, 3, 1)), net.x), 6))
    rows = net.add(Reshape((1, 1, 24, 6)), net.x)
    scaled = net.layer(Conv2d(Window((1, 1)), 6), rows, np.ones((6, 1, 1, 1)), 0.01)
    small = net.add(Reshape((1, 4, 6, 6)), scaled)
    both = net.add(Concat(1), large, small)
    take = np.repeat([1, 100.0], [6, 4])
    graph = net.graph(net.conv(net.add(Transpose((0, 2, 3, 1)), both), 3, take=take))
    axes = channel_axes(graph)
    assert (axes[small], axes[both]) == (1, 1)
    assert sqnr(graph) > 30


def test_a_column_and_its_product_have_channels_along_different_axes() -> None:
    """Both of one shape: what lies behind the product along its rows is not what lies behind the column."""
    builder = GraphBuilder("columns")

    def layer(name: str, outputs: int) -> str:
        weight = np.random.default_rng(outputs).normal(0, 1, (outputs, 4)).astype(np.float32)
        inputs = [builder.constant(weight), builder.constant(np.zeros(outputs, np.float32))]
        return builder.add(FullyConnected(), [builder.input(name, (8, 4)), *inputs])

    rows = builder.add(Transpose((1, 0)), [layer("a", 8)])
    builder.outputs.append(builder.add(MatMul(), [rows, layer("b", 1)], "y"))
    graph = builder.graph()
    rng = np.random.default_rng(1)
    data = [{n: rng.normal(0, 1, graph.tensors[n].shape).astype(np.float32) for n in graph.inputs} for _ in range(12)]
    assert quantize_on_samples(graph, data).graph.outputs == ("y",)
