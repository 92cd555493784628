"""Layers of so many taps that int8 weights at their finest would leave int32: a coarser scale makes room."""

import numpy as np
import pytest
from support import check_c, given_integers

from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound
from mcuq.ops.window import Window
from mcuq.quantize import (
    NAMED,
    Recovery,
    Scheme,
    check_accumulators,
    insert_conversions,
    quantize_graph,
    quantize_on_samples,
)
from mcuq.quantize.long_sums import long_sum_notes

TAPS = 200_000
RNG = np.random.default_rng(4)
NEAREST = Recovery("nearest", equalization=False, headroom=False)
WEIGHTS: dict[str, Array] = {
    "ones of both signs": RNG.choice([-1.0, 1.0], (2, TAPS)),
    "evenly spread": RNG.uniform(-1, 1, (2, TAPS)),
    "positive": RNG.uniform(0, 1, (2, TAPS)),
    "ones": np.ones((2, TAPS)),
}


def network(weight: Array, is_conv: bool = False) -> Graph:
    builder = GraphBuilder("net")
    constants = [weight.astype(np.float32), np.array([3.0, -2.0], np.float32)]
    op: Operator = FullyConnected()
    x = builder.input("x", (1, TAPS))
    if is_conv:
        op, constants[0] = Conv2d(Window((40, 50))), constants[0].reshape(2, 40, 50, 100)
        x = builder.input("image", (1, 40, 50, 100))
        builder.inputs.remove("x")
    names = [builder.constant(value, name) for value, name in zip(constants, "wb", strict=True)]
    builder.outputs.append(builder.add(op, [x, *names], "y", "long"))
    return builder.graph()


def decibels(graph: Graph, scheme: Scheme, low: float) -> float:
    """SQNR of the output about its mean, on inputs from `low` to 1 that vary together, so that sums are long ones."""
    graph = insert_conversions(graph, scheme)
    (name,) = graph.inputs
    shape = graph.tensors[name].shape
    samples = [{name: (RNG.uniform(low, 1, shape) * RNG.uniform(0, 1)).astype(np.float32)} for _ in range(6)]
    integer = quantize_on_samples(graph, samples, scheme=scheme, recovery=NEAREST).graph
    check_accumulators(integer)
    (output,) = integer.outputs
    inputs = quantize_inputs(integer, {name: np.stack([sample[name] for sample in samples])})
    got = dequantize_outputs(integer, simulate(integer, inputs))[output]
    model = FloatModel(write_onnx(graph))
    want = np.stack([model.run(sample)[output] for sample in samples])
    return float(10 * np.log10(((want - want.mean(axis=0)) ** 2).sum() / ((want - got) ** 2).sum()))


@pytest.mark.parametrize("low", [-1.0, 0.0])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_sums_of_200_000_products_are_near_those_of_the_float_network(weights: str, low: float) -> None:
    assert decibels(network(WEIGHTS[weights]), Scheme(), low) > 30


@pytest.mark.parametrize("scheme", ["int16", "dynamic"])
def test_they_are_in_other_schemes_too(scheme: str) -> None:
    assert decibels(network(WEIGHTS["ones"]), Scheme(NAMED[scheme]), 0.0) > 30


@pytest.mark.parametrize(
    ("scheme", "weights", "notes"),
    [
        (
            "int8",
            "ones",
            (
                "weights of 'long' are rounded up to 1.5 times as coarsely as they could be, so that its sums of "
                "200,000 products fit; split the layer into two that are added to keep them finer",
            ),
        ),
        (
            "dynamic",
            "ones",
            (
                "weights of 'long' are rounded up to 3.1 times as coarsely as they could be, so that its sums of "
                "200,000 products fit; split the layer into two that are added to keep them finer",
            ),
        ),
        ("int8", "positive", ()),
        ("int16", "ones", ()),
        ("int4", "ones", ()),
        ("float32", "ones", ()),
    ],
)
def test_a_scale_that_sums_made_coarser_is_told_of(scheme: str, weights: str, notes: tuple[str, ...]) -> None:
    chosen = Scheme(NAMED[scheme])
    graph = insert_conversions(network(WEIGHTS[weights]), chosen)
    integer = quantize_graph(graph, {"x": (-1.0, 1.0), "y": (-TAPS, TAPS)}, chosen)
    assert long_sum_notes(graph, integer, chosen) == notes


def test_a_channel_that_is_a_bias_alone_is_not_told_of() -> None:
    """As trained networks have: weights of 1e-24 lose nothing, whatever scale the bias beside them needs."""
    weight = np.random.default_rng(0).normal(size=(2, 16))
    weight[1] *= 1e-24
    builder = GraphBuilder("net")
    constants = [
        builder.constant(weight.astype(np.float32), "w"),
        builder.constant(np.array([3.0, -2.0], np.float32), "b"),
    ]
    builder.outputs.append(builder.add(FullyConnected(), [builder.input("x", (1, 16)), *constants], "y", "layer"))
    graph = builder.graph()
    integer = quantize_graph(graph, {"x": (-1.0, 1.0), "y": (-10.0, 10.0)}, Scheme())
    assert long_sum_notes(graph, integer, Scheme()) == ()


def test_a_convolution_of_as_many_taps_is_near_the_float_one() -> None:
    assert decibels(network(WEIGHTS["positive"], is_conv=True), Scheme(), 0.0) > 30


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m4", "rv32imc", "cortex-m55", "cortex-m0plus"])
def test_the_c_of_the_longest_sums_computes_what_the_simulator_does(board: str) -> None:
    graph = network(WEIGHTS["ones"])
    samples = [{"x": np.full((1, TAPS), value, np.float32)} for value in (0.0, 0.4, 0.7, 1.0)]
    check_c(quantize_on_samples(graph, samples, recovery=NEAREST).graph, "host", board=board)


def test_the_room_is_used() -> None:
    samples = [{"x": np.full((1, TAPS), value, np.float32)} for value in (0.0, 0.4, 0.7, 1.0)]
    (layer,) = quantize_on_samples(network(WEIGHTS["ones"]), samples, recovery=NEAREST).graph.layers()
    assert 0.9 * 2**31 < accumulator_bound(layer) < 2**31


def test_weights_that_came_as_integers_are_kept_and_refused() -> None:
    graph = given_integers(FullyConnected(), (1, TAPS), np.ones((1, TAPS)), (-1, 127 / 128))
    with pytest.raises(QuantizationError) as caught:
        check_accumulators(graph)
    assert str(caught.value) == (
        "FullyConnected 'layer': the accumulator of output channel 0 can reach 3251200000, more than int32 holds "
        "(2147483647); split the layer, which sums 200000 products"
    )
