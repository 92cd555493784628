"""Inputs whose channels differ in range: when they get scales of their own, and what that is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from passes.networks import RELU, Network, run
from support import model_of

from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, ChannelQuant, Shape
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Recovery, Scheme, insert_conversions, quantize_on_samples
from mcuq.validate import check_bits

# Acceleration in g, temperature in degrees, pressure in pascal, a voltage: middle and deviation.
MIDDLE, DEVIATION = np.array([0.0, 25.0, 101_325.0, 3.3]), np.array([0.3, 6.0, 700.0, 0.01])
PER_TENSOR = Scheme(input_scale="per-tensor")


def sensors(count: int, shape: Shape = (1, 4), axis: int = -1, middle: Array = MIDDLE, seed: int = 0) -> Array:
    """(count, *shape): four channels along `axis`, as sensors give them."""
    values = np.random.default_rng(seed).normal(size=(count, *shape))
    along = [-1 if a == axis % len(shape) else 1 for a in range(len(shape))]
    return np.asarray(values * DEVIATION.reshape(along) + middle.reshape(along), np.float32)


def normalized(net: Network, x: str, axis: int) -> str:
    """What a trained network does first."""
    x = net.batch_norm(x, axis)
    scale, bias = net.nodes[x].inputs[1:]
    for name, values in ((scale, 1 / DEVIATION), (bias, -MIDDLE / DEVIATION)):
        net.tensors[name] = replace(net.tensors[name], data=values.astype(np.float32))
    return x


def dense(axis: int = 1) -> Graph:
    net = Network()
    x = net.add(RELU, [net.linear(normalized(net, net.input("x", (1, 4)), axis), 16)])
    return net.finish(net.linear(x, 3, "last"))


def quantized(graph: Graph, x: Array, scheme: Scheme = Scheme(), recovery: Recovery = Recovery()) -> Graph:  # noqa: B008
    """The integer graph, on samples `x` of the first input."""
    before = insert_conversions(optimize(graph), scheme)
    samples = [{graph.inputs[0]: sample} for sample in x]
    return quantize_on_samples(before, samples, scheme=scheme, recovery=recovery).graph


def sqnr(graph: Graph, integer: Graph, x: Array) -> float:
    """Of all outputs, against ONNX Runtime."""
    inputs = {graph.inputs[0]: x}
    want = run(graph, inputs)
    got = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, inputs)))
    return min(float(10 * np.log10((want[n] ** 2).sum() / ((want[n] - got[n]) ** 2).sum())) for n in want)


def channels(integer: Graph) -> ChannelQuant:
    quant = integer.tensors["x"].quant
    assert isinstance(quant, ChannelQuant)
    return quant


INPUTS = [
    (Scheme(), 30),
    (Scheme(input="uint8"), 30),
    (Scheme(input="int16"), 30),
    (Scheme(input="float32"), 30),
    (Scheme(NAMED["int16"]), 45),
    (Scheme(NAMED["int16"], input="float32"), 45),
    (Scheme(NAMED["int16"], input="int8"), 35),
    (Scheme(power_of_two=True), 20),
]


@pytest.mark.parametrize(("scheme", "least_db"), INPUTS)
def test_network_that_normalizes_raw_features_keeps_them(scheme: Scheme, least_db: float) -> None:
    graph = dense()
    integer = quantized(graph, sensors(100), scheme)
    test = sensors(50, seed=1)
    assert sqnr(graph, integer, test) > least_db
    one = quantized(graph, sensors(100), replace(scheme, input_scale="per-tensor"))
    assert sqnr(graph, one, test) < 15, "one scale for all would have done"
    report = check_bits(model_of(integer), iter([quantize_inputs(integer, {"x": test})]), "host")
    assert report.first_mismatch is None
    assert report.samples == 50


def test_each_feature_has_the_range_that_it_has() -> None:
    x = sensors(100)
    quant = channels(quantized(dense(), x))
    assert (quant.axis, len(quant.scale), len(quant.zero_points)) == (-1, 4, 4)
    low, high = ((bound - np.array(quant.zero_points)) * np.array(quant.scale) for bound in (-128, 127))
    spread = x.max(axis=(0, 1)) - x.min(axis=(0, 1))
    assert (low <= x.min(axis=(0, 1)) + spread / 100).all()
    assert (high >= x.max(axis=(0, 1)) - spread / 100).all()
    assert (high - low <= 2 * spread).all()


def test_scales_that_are_powers_of_two_are_so_in_each_channel() -> None:
    scales = channels(quantized(dense(), sensors(100), Scheme(power_of_two=True))).scale
    assert all(np.log2(scale) == np.round(np.log2(scale)) for scale in scales)


def test_symmetric_input_has_zero_points_of_0() -> None:
    centred = np.zeros(4)
    graph = dense()
    x = sensors(100, middle=centred)
    integer = quantized(graph, x, Scheme(symmetric=True))
    assert set(channels(integer).zero_points) == {0}


def conv(padded: bool, shape: Shape) -> Graph:
    """A convolution of raw channels first, whose weights make up for their scales."""
    net = Network()
    tall = 3 if len(shape) == 4 else 1
    pads = ((1, 1, 1, 1) if tall > 1 else (0, 1, 0, 1)) if padded else (0, 0, 0, 0)
    weight = net.normal(6, tall, 3, 4) / DEVIATION.astype(np.float32)
    names = [net.constant(weight, "w"), net.constant(net.normal(6), "b")]
    x = net.over_images(Conv2d(Window((tall, 3), pads=pads)), net.input("x", shape), *names, name="conv")
    x = net.add(RELU, [x])
    return net.finish(net.linear(net.flatten(x), 3))


@pytest.mark.parametrize("shape", [(1, 4, 6, 6), (1, 4, 12)])
def test_padding_is_the_real_0_of_every_channel(shape: Shape) -> None:
    graph, middle = conv(True, shape), DEVIATION / 2
    x = sensors(40, shape, 1, middle)
    integer = quantized(graph, x)
    assert len(set(channels(integer).zero_points)) == 1
    assert channels(integer).axis == 1 - len(shape)
    assert sqnr(graph, integer, sensors(20, shape, 1, middle, seed=1)) > 30
    assert sqnr(graph, quantized(graph, x, PER_TENSOR), x) < 15


@pytest.mark.parametrize("shape", [(1, 4, 6, 6), (1, 4, 12)])
@pytest.mark.parametrize("scheme", [Scheme(), Scheme(input="float32"), Scheme(NAMED["int16"])])
def test_convolution_without_padding_takes_shifts_too(shape: Shape, scheme: Scheme) -> None:
    net = Network()
    x = normalized(net, net.input("x", shape), 1)
    tall = 3 if len(shape) == 4 else 1
    names = [net.constant(net.normal(6, tall, 3, 4), "w"), net.constant(net.normal(6), "b")]
    x = net.add(RELU, [net.over_images(Conv2d(Window((tall, 3))), x, *names, name="conv")])
    graph = net.finish(net.linear(net.flatten(x), 3))
    integer = quantized(graph, sensors(40, shape, 1), scheme)
    assert sqnr(graph, integer, sensors(20, shape, 1, seed=1)) > 30


@pytest.mark.parametrize("shape", [(1, 4, 6, 6), (1, 4, 12)])
def test_normalization_before_a_padded_convolution_is_a_depthwise_layer_of_raw_channels(shape: Shape) -> None:
    net = Network()
    x = net.add(RELU, [net.conv(normalized(net, net.input("x", shape), 1), 6)])
    graph = net.finish(net.linear(net.flatten(x), 3))
    integer = quantized(graph, sensors(40, shape, 1))
    assert len(set(channels(integer).zero_points)) == 4
    assert sqnr(graph, integer, sensors(20, shape, 1, seed=1)) > 30


def test_windows_of_features_have_a_scale_for_each_feature() -> None:
    net = Network()
    x = net.flatten(normalized(net, net.input("x", (1, 10, 4)), 2))
    graph = net.finish(net.linear(net.add(RELU, [net.linear(x, 8)]), 2))
    integer = quantized(graph, sensors(60, (1, 10, 4)))
    assert channels(integer).axis == -1
    assert len(channels(integer).scale) == 4
    assert sqnr(graph, integer, sensors(30, (1, 10, 4), seed=1)) > 30


def test_parts_of_the_input_and_several_readers_have_their_columns() -> None:
    net = Network()
    x = normalized(net, net.input("x", (1, 4)), 1)
    parts = [net.add(Slice((0, begin), (1, 2), (1, 1)), [x]) for begin in (0, 2)]
    branches = [net.add(RELU, [net.linear(part, 5)]) for part in (*parts, x)]
    graph = net.finish(net.linear(net.add(Concat(1), branches), 2))
    integer = quantized(graph, sensors(100))
    assert sqnr(graph, integer, sensors(50, seed=1)) > 30


def test_channel_that_never_changed_keeps_its_value() -> None:
    graph, x, test = dense(), sensors(100), sensors(50, seed=1)
    x[..., 3] = test[..., 3] = 3.3
    integer = quantized(graph, x)
    assert sqnr(graph, integer, test) > 30
    back = integer.tensors["x"].decode(quantize_inputs(integer, {"x": test})["x"])
    np.testing.assert_allclose(back[..., 3], 3.3, rtol=0.01)


def same_ranges() -> tuple[Graph, Array]:
    net = Network()
    graph = net.finish(net.linear(net.input("x", (1, 4)), 3))
    return graph, np.random.default_rng(0).normal(size=(50, 1, 4)).astype(np.float32)


def of_no_weight() -> tuple[Graph, Array]:
    net = Network()
    graph = net.finish(net.linear(net.input("x", (1, 4)), 3))
    return graph, np.random.default_rng(0).normal(size=(50, 1, 4)).astype(np.float32) * [1, 1, 1, 0.01]


def read_by_a_table() -> tuple[Graph, Array]:
    net = Network()
    x = normalized(net, net.input("x", (1, 4)), 1)
    return net.finish(net.linear(net.add(Sigmoid(), [x]), 3), net.add(Sigmoid(), [net.inputs[0]])), sensors(50)


def given_out() -> tuple[Graph, Array]:
    net = Network()
    x = net.input("x", (1, 4))
    return net.finish(net.linear(x, 3), net.flatten(x)), sensors(50)


def few_samples() -> tuple[Graph, Array]:
    return dense(), sensors(9)


@pytest.mark.parametrize("network", [same_ranges, of_no_weight, read_by_a_table, given_out, few_samples])
def test_one_scale_stays_where_channels_need_or_can_have_no_others(network: object) -> None:
    assert callable(network)
    graph, x = network()
    integer = quantized(graph, x.astype(np.float32))
    assert not any(isinstance(node.op, Regrid | QuantizeChannels) for node in integer.nodes)
    assert len(integer.tensors["x"].quantization.scale) == 1


def test_recovery_and_headroom_are_for_channels_too() -> None:
    graph, x, test = dense(), sensors(16), sensors(200, seed=1)
    tight = quantized(graph, x, recovery=Recovery(headroom=False))
    roomy = quantized(graph, x)
    assert (np.array(channels(roomy).scale) >= np.array(channels(tight).scale)).all()
    assert sqnr(graph, roomy, test) > sqnr(graph, tight, test)
