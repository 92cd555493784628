"""Layers whose weights are all zero, have a channel of zeros or one value: every scheme has a scale for them."""

import numpy as np
import pytest
from support import check_c

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.quantize import NAMED, Recovery, Rounding, Scheme, quantize_on_samples

RNG = np.random.default_rng(2)
INTEGER = [name for name, own in NAMED.items() if own.activations != "float32"]
WEIGHTS = {
    "all zero": np.zeros((4, 9), np.float32),
    "a channel of zeros": np.array([[0.5] * 9, [0.0] * 9, [-0.25] * 9, [0.125] * 9], np.float32),
    "one value": np.full((4, 9), -0.4, np.float32),
}


def network(weight: Array, is_conv: bool) -> Graph:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 5, 5, 1) if is_conv else (1, 9))
    values = [weight.reshape(4, 3, 3, 1) if is_conv else weight, np.array([0.5, -1.0, 0.0, 2.0], np.float32)]
    constants = [builder.constant(value, name) for value, name in zip(values, "wb", strict=True)]
    op = Conv2d(Window((3, 3))) if is_conv else FullyConnected()
    builder.outputs.append(builder.add(op, [x, *constants], "y"))
    return builder.graph()


@pytest.mark.parametrize("rounding", ["nearest", "gptq", "adaround"])
@pytest.mark.parametrize("is_conv", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("scheme", INTEGER)
def test_outputs_are_those_of_the_float_network(scheme: str, weights: str, is_conv: bool, rounding: Rounding) -> None:
    graph = network(WEIGHTS[weights], is_conv)
    samples = [{"x": RNG.uniform(0, 1, graph.tensors["x"].shape).astype(np.float32)} for _ in range(8)]
    recovery = Recovery(rounding, bias_correction=False)
    integer = quantize_on_samples(graph, samples, scheme=Scheme(NAMED[scheme]), recovery=recovery).graph
    stacked = {"x": np.stack([sample["x"] for sample in samples])}
    (name,) = graph.outputs
    got = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, stacked)))[name]
    model = FloatModel(write_onnx(graph))
    want = np.stack([model.run(sample)[name] for sample in samples])
    # Weights of one magnitude a channel are exact on all grids: what errs is rounding of the output, and of nine inputs
    # that weigh 0.5 at most.
    limit = 0.51 * integer.tensors[name].scale + 9 * 0.5 * 0.51 * integer.tensors["x"].scale
    assert np.abs(got - want).max() <= limit


@pytest.mark.slow
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("scheme", INTEGER)
def test_the_c_computes_what_the_simulator_does(scheme: str, weights: str) -> None:
    graph = network(WEIGHTS[weights], is_conv=True)
    samples = [{"x": RNG.uniform(-1, 1, graph.tensors["x"].shape).astype(np.float32)} for _ in range(4)]
    check_c(quantize_on_samples(graph, samples, scheme=Scheme(NAMED[scheme])).graph, "host")
