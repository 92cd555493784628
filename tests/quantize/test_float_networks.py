"""Networks that compute in floats, whole or in part, through calibration, bias correction and pruning."""

from __future__ import annotations

import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.quantize import (
    Scheme,
    calibrate,
    float_tensors,
    insert_conversions,
    parse_scheme,
    prune_graph,
    quantize_graph,
)
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.quantize.recover import recover
from mcuq.quantize.scheme import LayerScheme


def network() -> Graph:
    """x -> first -> relu -> second -> third, with a channel of `second` that is constant and one that nobody reads."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 4), (6, 5), (3, 6))]
    weights[1][2], weights[2][:, 4] = 0, 0
    builder = GraphBuilder("network")
    x = builder.input("x", (1, 4))
    for name, weight in zip(("first", "second", "third"), weights, strict=True):
        constants = [builder.constant(weight), builder.constant(np.full(len(weight), 0.1, np.float32))]
        x = builder.add(FullyConnected(), [x, *constants], name, name)
        if name == "first":
            x = builder.add(Clip(minimum=0.0), [x], "relu", "relu")
    builder.outputs.append(x)
    return builder.graph()


def samples(count: int = 20) -> list[dict[str, Array]]:
    rng = np.random.default_rng(1)
    return [{"x": rng.normal(size=(1, 4)).astype(np.float32)} for _ in range(count)]


def quantized(scheme: Scheme) -> tuple[Graph, Graph]:
    """(float graph with conversions, quantized graph)."""
    graph = insert_conversions(network(), scheme)
    ranges = calibrate(graph, samples(), without=float_tensors(graph, scheme))
    return graph, quantize_graph(graph, ranges, scheme)


MIXED = Scheme(layers={"second": LayerScheme("float16", "float32"), "first": LayerScheme("float32", "int8")})


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic"])
def test_network_of_floats_alone_needs_no_ranges(name: str) -> None:
    scheme = parse_scheme(name)
    graph = insert_conversions(network(), scheme)
    without = float_tensors(graph, scheme)
    assert scaled_tensors(graph, without) == []
    assert calibrate(graph, [], without=without) == {}
    integer = quantize_graph(graph, {}, scheme)
    assert all(t.quant is None for t in integer.tensors.values() if not t.is_constant)


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic"])
def test_recovery_and_pruning_leave_layers_of_floats_as_they_are(name: str) -> None:
    graph, integer = quantized(parse_scheme(name))
    corrected = recover(graph, integer, samples())
    pruned, report = prune_graph(corrected)
    assert pruned.text() == integer.text()
    assert report.channels == 0


def test_recovery_changes_layers_of_integers_alone() -> None:
    graph, integer = quantized(MIXED)
    corrected = recover(graph, integer, samples())
    for before, after in zip(integer.layers(), corrected.layers(), strict=True):
        if len(before.inputs) == 3 and before.inputs[2].dtype == "float32":
            assert np.array_equal(before.inputs[1].values, after.inputs[1].values)
            assert np.array_equal(before.inputs[2].values, after.inputs[2].values)


def test_pruning_a_network_in_part_of_floats_keeps_its_outputs_bits() -> None:
    for scheme in (MIXED, Scheme(layers={"third": LayerScheme("int8", "float32")})):
        _, integer = quantized(scheme)
        x = integer.tensors["x"].encode(np.random.default_rng(2).normal(size=(50, 1, 4)))
        pruned, _ = prune_graph(integer)
        assert np.array_equal(simulate(integer, {"x": x})["third"], simulate(pruned, {"x": x})["third"])


def test_integer_layer_beside_floats_is_still_pruned() -> None:
    _, integer = quantized(Scheme(layers={"first": LayerScheme("float32", "float32")}))
    _, report = prune_graph(integer)
    assert report.channels == 2  # the constant channel of `second`, and the one without a reader


@pytest.mark.parametrize(
    "scheme", [parse_scheme("dynamic"), Scheme(LayerScheme("int4", "float32"))], ids=["int8", "int4"]
)
def test_a_factor_of_each_channel_is_one_of_floats_where_layers_write_floats(scheme: Scheme) -> None:
    # With the range of 1000 in 8 bits, of an input that an Add of 1 (such a layer) reads, 0.5 would be 0.
    builder = GraphBuilder("network")
    constants = [np.ones((2, 1, 1, 1)), np.array([1.0, 0.0])]
    names = [builder.constant(value.astype(np.float32)) for value in constants]
    builder.outputs.append(builder.add(Conv2d(Window((1, 1)), 2), [builder.input("x", (1, 1, 2, 2)), *names], "y"))
    integer = quantize_graph(builder.graph(), {}, scheme)
    x = np.array([[[[[0.5, 1000.0], [-0.25, 0.5]]]]], np.float32)
    assert np.array_equal(simulate(integer, {"x": x})["y"], x + np.array([1, 0], np.float32))
