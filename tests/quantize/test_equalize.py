import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.abs import Abs
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.identity import Identity
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.window import Window
from mcuq.quantize import NO_RECOVERY, Recovery, quantize_on_samples
from mcuq.quantize.equalize import LARGEST_FACTOR, equalize
from mcuq.quantize.seen import see

Samples = list[dict[str, Array]]
UNEVEN = 2.0 ** -np.arange(8)


def constants(builder: GraphBuilder, name: str, weight: Array) -> list[str]:
    rng = np.random.default_rng(len(name))
    bias = rng.normal(size=len(weight)) * 0.1 * np.abs(weight).reshape(len(weight), -1).max(axis=1)
    return [builder.constant(a.astype(np.float32), f"{name}.{k}") for k, a in (("w", weight), ("b", bias))]


def uneven_net(maximum: float = np.inf) -> Graph:
    """Two convolutions, the second depthwise, and a dense layer; channels of the first differ by up to 128."""
    rng = np.random.default_rng(4)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 8, 8, 3))
    first = rng.normal(size=(8, 3, 3, 3)) * UNEVEN.reshape(-1, 1, 1, 1)
    depthwise = rng.normal(size=(8, 3, 3, 1)) / UNEVEN.reshape(-1, 1, 1, 1)
    same = Window((3, 3), pads=(1, 1, 1, 1))
    bounds = {"minimum": 0.0, "maximum": maximum}
    x = builder.add(Conv2d(same, **bounds), [x, *constants(builder, "first", first)], "first")
    x = builder.add(Conv2d(same, 8, **bounds), [x, *constants(builder, "depthwise", depthwise)], "depthwise")
    x = builder.add(MaxPool(Window((2, 2), strides=(2, 2))), [x], "max")
    x = builder.add(AveragePool(Window((2, 2), strides=(2, 2))), [x], "mean")
    x = builder.add(Reshape((1, 32)), [x], "flat")
    x = builder.add(FullyConnected(), [x, *constants(builder, "dense", rng.normal(size=(5, 32)))], "dense")
    builder.outputs.append(x)
    return builder.graph()


def samples_of(count: int, seed: int = 1) -> Samples:
    rng = np.random.default_rng(seed)
    return [{"x": rng.uniform(-1, 2, (1, 8, 8, 3)).astype(np.float32)} for _ in range(count)]


def equalized(graph: Graph, samples: Samples) -> Graph:
    return equalize(graph, see(graph, samples))[0]


def outputs(graph: Graph, samples: Samples) -> Array:
    model = FloatModel(write_onnx(graph))
    return np.stack([model.run(sample)[graph.outputs[0]] for sample in samples])


def test_the_equalized_network_computes_the_same() -> None:
    graph, samples = uneven_net(), samples_of(12)
    equal = equalized(graph, samples)
    want = outputs(graph, samples)
    np.testing.assert_allclose(outputs(equal, samples), want, atol=1e-4 * np.abs(want).max())
    assert not np.allclose(equal.tensors["first.w"].values, graph.tensors["first.w"].values)


def test_channels_before_a_depthwise_layer_get_more_of_the_range() -> None:
    graph, samples = uneven_net(), samples_of(12)
    spreads = []
    for g in (graph, equalized(graph, samples)):
        model = FloatModel(write_onnx(g, ["first"]))
        reach = np.max([model.run(s, ["first"])["first"].max(axis=(0, 1, 2)) for s in samples], axis=0)
        spreads.append(reach.max() / reach.min())
    assert spreads[0] > 30
    assert spreads[1] < 3


def test_uneven_channels_cost_less_after_equalization() -> None:
    graph, samples, unseen = uneven_net(), samples_of(24), samples_of(24, seed=8)
    want = outputs(graph, unseen)
    errors = []
    for recovery in (NO_RECOVERY, Recovery("nearest", False, True, False)):
        integer = quantize_on_samples(graph, samples, recovery=recovery).graph
        stacked = quantize_inputs(integer, {"x": np.stack([s["x"] for s in unseen])})
        got = integer.tensors["dense"].quantization.dequantize(simulate(integer, stacked)["dense"])
        errors.append(float(((got - want) ** 2).sum()))
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize(
    "between",
    [
        [LeakyRelu(0.1)],
        [Abs(), Pad((0, 1, 0, 0), (0, 0, 1, 0))],
        [Slice((0, 1, 0, 0), (1, 6, 8, 8), (1, 1, 1, 1)), Identity()],
    ],
    ids=["leaky relu", "abs and pad", "slice"],
)
def test_factors_pass_all_that_gives_them_on(between: list[Operator]) -> None:
    rng = np.random.default_rng(4)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 8, 8, 3))
    first = rng.normal(size=(8, 1, 1, 3)) * UNEVEN.reshape(-1, 1, 1, 1)
    x = builder.add(Conv2d(Window((1, 1))), [x, *constants(builder, "first", first)], "first")
    for op in between:
        x = builder.add(op, [x])
    second = rng.normal(size=(5, 1, 1, 8)) / UNEVEN
    builder.outputs.append(builder.add(Conv2d(Window((1, 1))), [x, *constants(builder, "second", second)], "y"))
    graph, samples = builder.graph(), samples_of(12)
    equal = equalized(graph, samples)
    want = outputs(graph, samples)
    np.testing.assert_allclose(outputs(equal, samples), want, atol=1e-4 * np.abs(want).max())
    reach = [np.abs(g.tensors["first.w"].values).reshape(8, -1).max(axis=1) for g in (graph, equal)]
    assert reach[0].max() > 30 * reach[0].min()
    assert reach[1].max() < 6 * reach[1].min()


@pytest.mark.parametrize(
    "op",
    [
        Mean((1, 2)),
        Sigmoid(),
        Clip(maximum=1.0),
        Pad((0,) * 4, (0, 0, 0, 2)),
        Slice((0,) * 4, (1, 8, 8, 4), (1,) * 4),
    ],
    ids=repr,
)
def test_factors_stop_where_channels_change_or_values_are_few(op: Operator) -> None:
    builder = GraphBuilder("net")
    first = np.random.default_rng(4).normal(size=(8, 1, 1, 3)) * UNEVEN.reshape(-1, 1, 1, 1)
    x = builder.add(Conv2d(Window((1, 1))), [builder.input("x", (1, 8, 8, 3)), *constants(builder, "first", first)])
    x = builder.add(op, [x])
    second = np.random.default_rng(5).normal(size=(5, 1, 1, builder.tensors[x].shape[3]))
    builder.outputs.append(builder.add(Conv2d(Window((1, 1))), [x, *constants(builder, "second", second)], "y"))
    graph = builder.graph()
    assert equalized(graph, samples_of(8)) is graph


def test_factors_do_not_pass_a_bound_above() -> None:
    graph = uneven_net(maximum=6.0)
    assert equalized(graph, samples_of(8)) is graph


def test_a_tensor_with_two_readers_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    x = builder.add(FullyConnected(), [builder.input("x", (1, 4)), *constants(builder, "a", rng.normal(size=(4, 4)))])
    y = builder.add(FullyConnected(), [x, *constants(builder, "b", rng.normal(size=(4, 4)))])
    builder.outputs.append(builder.add(Add(), [x, y], "y"))
    graph = builder.graph()
    assert equalized(graph, [{"x": np.ones((1, 4), np.float32)}] * 8) is graph


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_samples_to_hold_some_out_change_nothing(count: int) -> None:
    graph = uneven_net()
    assert equalized(graph, samples_of(count)) is graph


def test_a_channel_that_is_all_but_unused_is_not_blown_up() -> None:
    graph = uneven_net()
    weight, bias = (graph.tensors[f"first.{k}"].values.copy() for k in "wb")
    weight[3], bias[3] = weight[3] * 1e-9, 0
    builder = GraphBuilder(graph)
    builder.tensors |= {
        name: graph.tensors[name].__class__(name, data.shape, data=data)
        for name, data in (("first.w", weight), ("first.b", bias))
    }
    equal = equalized(builder.graph(), samples_of(8)).tensors["first.w"].values
    assert np.array_equal(equal[3], weight[3])
    ratio = np.abs(equal).reshape(8, -1).max(axis=1) / np.abs(weight).reshape(8, -1).max(axis=1)
    assert ratio.max() <= LARGEST_FACTOR * 1.001


def test_what_is_seen_of_the_equalized_network_needs_no_other_run() -> None:
    graph, samples = uneven_net(), samples_of(8)
    equal, told = equalize(graph, see(graph, samples))
    for name, seen in see(equal, samples).items():
        np.testing.assert_allclose(told[name].largest, seen.largest, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(told[name].square, seen.square, rtol=1e-4, atol=1e-6)
        assert (told[name].signed, told[name].positions) == (seen.signed, seen.positions)


def test_the_given_graph_stays_as_it_was() -> None:
    graph = uneven_net()
    before = {name: t.values.copy() for name, t in graph.tensors.items() if t.is_constant}
    equalized(graph, samples_of(8))
    assert all(np.array_equal(graph.tensors[name].values, value) for name, value in before.items())
