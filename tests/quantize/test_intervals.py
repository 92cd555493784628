"""Intervals: sound for whatever the inputs are, and as narrow as one layer allows."""

from __future__ import annotations

import numpy as np
import pytest
from support import float_graph, integer_graph, random_inputs, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import run_layers
from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.prelu import PRelu
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.unary import Unary
from mcuq.ops.window import Window
from mcuq.quantize import NAMED, Scheme
from mcuq.quantize.intervals import intervals


def _network(seed: int, scheme: Scheme) -> Graph:
    """One of every kind of rule, with a residual connection."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    builder = GraphBuilder("network")
    x = builder.input("x", (1, 6, 5, 4))

    def conv(source: str, name: str, outputs: int, window: Window, groups: int = 1) -> str:
        channels = builder.tensors[source].shape[3] // groups
        constants = [builder.constant(weights(outputs, *window.kernel, channels)), builder.constant(weights(outputs))]
        return builder.add(Conv2d(window, groups, minimum=0.0), [source, *constants], name=name)

    y = conv(x, "wide", 6, Window((3, 3), pads=(1, 1, 1, 1)))
    y = conv(y, "depthwise", 12, Window((3, 3), (2, 1), (1, 0, 0, 1)), 6)
    z = conv(y, "grouped", 12, Window((1, 1)), 3)
    y = builder.add(Add(), [y, z])
    y = builder.add(PRelu(), [y, builder.constant(weights(1, 1, 1, 12))])
    z = builder.add(HardSwish(), [builder.add(Sub(), [z, y])])
    y = builder.add(Mul(), [y, z])
    y = builder.add(Concat(3), [y, builder.add(MaxPool(Window((3, 3), pads=(1, 1, 1, 1))), [z])])
    y = builder.add(AveragePool(Window((2, 2), pads=(0, 1, 1, 0))), [y])
    y = builder.add(Pad((0, 1, 0, 0), (0, 0, 2, 0), 0.5), [y])
    y = builder.add(Mean((2,)), [y])
    flat = builder.add(Reshape((1, builder.tensors[y].elements)), [y])
    matrix = builder.constant(weights(5, builder.tensors[flat].elements))
    y = builder.add(FullyConnected(), [flat, matrix, builder.constant(weights(5))])
    builder.outputs.append(builder.add(Softmax(), [y], "y"))
    return with_ranges(builder.graph(), seed, scheme=scheme)


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(NAMED["int16"])], ids=["int8", "int16"])
@pytest.mark.parametrize("seed", range(8))
def test_no_value_lies_outside_of_its_interval(seed: int, scheme: Scheme) -> None:
    graph = _network(seed, scheme)
    found = intervals(graph)
    values = run_layers(graph, random_inputs(graph, 200, seed), keep_all=True)
    assert values.keys() <= found.keys()
    for name, value in values.items():
        low, high = found[name]
        assert low.shape == high.shape == (1, *graph.tensors[name].shape), name
        assert (low <= value).all(), name
        assert (value <= high).all(), name


def test_both_ends_of_a_weighted_layers_interval_are_reached() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(7, 9)).astype(np.float32)
    graph = integer_graph(FullyConnected(), [(1, 9), weight, np.zeros(7, np.float32)], {"y": (-9.0, 9.0)})
    (low, high), weight = intervals(graph)["y"], graph.layer(graph.nodes[0]).inputs[1].values
    for channel in range(7):
        most = np.where(weight[channel] > 0, 127, -128).astype(np.int8)
        for x, end in ((most, high), (~most, low)):
            assert run_layers(graph, {"x0": x.reshape(1, 1, 9)})["y"][0, 0, channel] == end[0, 0, channel]


def test_padding_narrows_the_interval_at_the_border() -> None:
    weight = np.ones((1, 3, 1, 1), np.float32)
    op = Conv2d(Window((3, 1), pads=(1, 0, 1, 0)))
    graph = integer_graph(op, [(1, 3, 1, 1), weight, np.zeros(1, np.float32)], {"y": (-10.0, 10.0)})
    low, high = intervals(graph)["y"]
    assert high.reshape(3).tolist() == [25, 38, 25]
    assert low.reshape(3).tolist() == [-26, -38, -26]


def test_an_operator_without_a_rule_can_give_anything() -> None:
    graph = with_ranges(float_graph(Softmax(), [(1, 3)]))
    low, high = intervals(graph)["y"]
    assert (low == -128).all()
    assert (high == 127).all()


@pytest.mark.parametrize("op", [HardSwish(), Tanh(), Clip(0, 1)], ids=lambda op: type(op).__name__)
def test_a_function_of_int16_has_the_least_and_the_greatest_of_its_range(op: Unary) -> None:
    builder = GraphBuilder("network")
    weight, bias = np.diag([1.0, 0.3, 1e-20]), np.array([0.0, -1.0, 0.7])
    constants = [builder.constant(v.astype(np.float32)) for v in (weight, bias)]
    z = builder.add(FullyConnected(), [builder.input("x", (1, 3)), *constants], "z")
    builder.outputs.append(builder.add(op, [z], "y"))
    graph = with_ranges(builder.graph(), 4, scheme=Scheme(NAMED["int16"]))
    found = intervals(graph)
    (low, high), layer = found["z"], graph.layer(graph.nodes[1])
    for channel in range(3):
        x = np.arange(int(low[0, 0, channel]), int(high[0, 0, channel]) + 1).astype(np.int16)
        y = op.simulate(layer, [x[None]])[0]
        assert (found["y"][0][0, 0, channel], found["y"][1][0, 0, channel]) == (y.min(), y.max())


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(NAMED["int16"])], ids=["int8", "int16"])
def test_an_operator_that_bends_has_the_least_and_the_greatest_of_its_range(scheme: Scheme) -> None:
    """Slopes of both signs, so that the least or the greatest of some channels lies at the bend, or beside it."""
    slope = np.float32([0.25, -0.5, 0.0, 3.0]).reshape(1, 4)
    graph = integer_graph(PRelu(), [(1, 4), slope], {"x0": (-1.0, 2.0), "y": (-2.0, 2.0)}, scheme)
    first, last = graph.tensors["x0"].quantization.bounds
    codes = np.arange(first, last + 1).astype(graph.tensors["x0"].dtype)
    y = run_layers(graph, {"x0": np.repeat(codes[:, None, None], 4, axis=2)})["y"]
    low, high = intervals(graph)["y"]
    assert np.array_equal(low, y.min(axis=0, keepdims=True))
    assert np.array_equal(high, y.max(axis=0, keepdims=True))
