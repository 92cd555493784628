"""Quantizations go to the tensors that are quantized; tables stay where two of them meet."""

from __future__ import annotations

import numpy as np
import pytest
from networks import Network, run
from quantized_networks import quantized_network
from support import check_portable_c

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import run_layer
from mcuq.graph.tensor import Array
from mcuq.ops.binary import Binary
from mcuq.ops.concat import Concat
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.passes.absorb_quantization import absorb_quantization
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import scaled_tensors

A, B = FakeQuantize(0.5, 0), FakeQuantize(0.25, -128)


def absorbed(net: Network, *outputs: str) -> str:
    return absorb_quantization(net.finish(*outputs)).text()


def test_a_layer_takes_the_quantization_of_its_output() -> None:
    net = Network()
    a = net.add(Tanh(), [net.input("x", (1, 4))], "a")
    assert absorbed(net, net.add(A, [a], "y")) == (
        "input x: float32[1,4]\ny: float32[1,4] 0.5*(q+0) = Tanh(x)\noutput y\n"
    )


def test_an_input_takes_its_quantization_and_keeps_its_name() -> None:
    net = Network()
    q = net.add(A, [net.input("x", (1, 4))], "q")
    assert absorbed(net, net.add(Tanh(), [q], "y")) == (
        "input x: float32[1,4] 0.5*(q+0)\ny: float32[1,4] = Tanh(x)\noutput y\n"
    )


def test_an_input_that_is_quantized_and_given_out_keeps_its_operator() -> None:
    net = Network()
    assert absorbed(net, net.add(A, [net.input("x", (1, 4))], "y")) == (
        "input x: float32[1,4] 0.5*(q+0)\n"
        "y: float32[1,4] 0.5*(q+0) = FakeQuantize(x) scale=0.5 zero_point=0\n"
        "output y\n"
    )


def test_what_moves_values_is_quantized_before() -> None:
    net = Network()
    a = net.add(Tanh(), [net.input("x", (1, 4, 4, 2))], "a")
    pooled = net.add(MaxPool(Window((2, 2), (2, 2))), [a], "pooled")
    flat = net.add(Reshape((1, 8)), [pooled], "flat")
    text = absorbed(net, net.add(A, [flat], "y"))
    assert "FakeQuantize" not in text
    assert text.count("0.5*(q+0)") == 3


def test_the_same_quantization_twice_is_one() -> None:
    net = Network()
    a = net.add(A, [net.add(Tanh(), [net.input("x", (1, 4))])])
    assert absorbed(net, net.add(A, [net.add(Reshape((4,)), [a], "r")], "y")) == (
        "input x: float32[1,4]\n"
        "fakequantize: float32[1,4] 0.5*(q+0) = Tanh(x)\n"
        "y: float32[4] 0.5*(q+0) = Reshape(fakequantize) shape=4\n"
        "output y\n"
    )


def test_a_table_stays_between_two_quantizations() -> None:
    net = Network()
    a = net.add(A, [net.add(Tanh(), [net.input("x", (1, 4))], "t")], "a")
    assert absorbed(net, net.add(B, [a], "y")) == (
        "input x: float32[1,4]\n"
        "a: float32[1,4] 0.5*(q+0) = Tanh(x)\n"
        "y: float32[1,4] 0.25*(q+128) = FakeQuantize(a) scale=0.25 zero_point=-128\n"
        "output y\n"
    )


def test_a_tensor_of_two_quantizations_has_none_of_them() -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (1, 4))], "t")
    text = absorbed(net, net.add(A, [t], "a"), net.add(B, [t], "b"))
    assert "t: float32[1,4] = Tanh(x)" in text
    assert text.count("FakeQuantize") == 2


def test_a_reader_of_the_unquantized_tensor_reads_the_quantized_one() -> None:
    net = Network()
    t = net.add(Tanh(), [net.input("x", (1, 4))], "t")
    text = absorbed(net, net.add(A, [t], "a"), net.add(Sigmoid(), [t], "b"))
    assert "a: float32[1,4] 0.5*(q+0) = Tanh(x)" in text
    assert "b: float32[1,4] = Sigmoid(a)" in text


def test_an_operator_that_fixes_its_scale_takes_no_other() -> None:
    for op, stays in ((FakeQuantize(1 / 256, -128), False), (FakeQuantize(1 / 255, -128), True)):
        net = Network()
        s = net.add(Softmax(), [net.input("x", (1, 4))], "s")
        assert ("FakeQuantize" in absorbed(net, net.add(op, [s], "y"))) == stays


def test_a_concatenation_is_quantized_in_its_inputs() -> None:
    net = Network()
    a = net.add(A, [net.add(Tanh(), [net.input("x", (1, 4))])], "a")
    b = net.add(Sigmoid(), [net.input("z", (1, 4))], "b")
    joined = net.add(Concat(1), [a, b, net.constant(np.array([[0.3, 0.55]], np.float32), "c")], "joined")
    before = net.finish(net.add(B, [joined], "y"))
    after = absorb_quantization(before)
    assert after.text() == (
        "input x: float32[1,4]\n"
        "input z: float32[1,4]\n"
        "a: float32[1,4] 0.5*(q+0) = Tanh(x)\n"
        "y_2: float32[1,4] 0.25*(q+128) = FakeQuantize(a) scale=0.25 zero_point=-128\n"
        "y_3: float32[1,4] 0.25*(q+128) = Sigmoid(z)\n"
        "y: float32[1,10] 0.25*(q+128) = Concat(y_2, y_3, c_2:float32[1,2]) axis=1\n"
        "output y\n"
    )
    assert after.tensors["c_2"].values.tolist() == [[0.25, 0.5]]


def test_inputs_of_a_concatenation_meet_in_the_range_of_all() -> None:
    net = Network()
    a = net.add(FakeQuantize(0.5, 0), [net.add(Tanh(), [net.input("x", (1, 4))])], "a")
    b = net.add(FakeQuantize(1.0, -128), [net.add(Sigmoid(), [net.input("z", (1, 4))])], "b")
    after = absorb_quantization(net.finish(net.add(Concat(1), [a, b], "y")))
    assert scaled_tensors(after) == ["x", "z"]
    quant = after.tensors["y"].quantization
    assert quant.step == pytest.approx((255 + 64) / 255)
    assert quantize_graph(after, {"x": (-1, 1), "z": (-1, 1)}).tensors["y"].quantization == quant


def test_padding_with_no_value_of_the_quantization_leaves_its_output_open() -> None:
    for value, known in ((1.5, True), (0.3, False)):
        net = Network()
        a = net.add(A, [net.input("x", (1, 4))], "a")
        after = absorb_quantization(net.finish(net.add(Pad((0, 1), (0, 1), value), [a], "y")))
        assert (after.tensors["y"].quant is not None) == known


@pytest.mark.parametrize("seed", range(30))
def test_pipeline_keeps_the_meaning_of_quantized_networks(seed: int) -> None:
    before = quantized_network(seed)
    after = optimize(before)
    # A factor and an offset along a dimension that no layer takes them in are two layers, with a tensor between.
    assert all(".mul" in name for name in scaled_tensors(after))
    want, got = (run(graph, reals(before)) for graph in (before, after))
    for name, value in want.items():
        # Sums in another order may land on the other side of a rounding, and layers behind it see that.
        assert (np.abs(got[name] - value) <= 1e-5).mean() >= 0.97, f"{before.text()}\n{after.text()}"


@pytest.mark.parametrize("seed", range(30))
def test_each_layer_is_within_a_step_of_onnx_runtime_on_its_inputs(seed: int) -> None:
    graph = optimize(quantized_network(seed))
    integer = quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-20.0, 20.0)))
    names = [node.output for node in graph.nodes]
    values = {**reals(graph), **run(replace_outputs(graph, names), reals(graph))}
    for layer in integer.layers():
        arguments = [t.values if t.is_constant else t.quantization.quantize(values[t.name]) for t in layer.inputs]
        want = layer.output.quantization.quantize(values[layer.output.name])
        if not _is_given(layer, graph):
            continue
        off = np.abs(run_layer(layer, arguments).astype(int) - want)
        assert off.max() <= 1, f"{layer.where}: {off.max()}\n{graph.text()}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30, 110))
def test_many_quantized_networks_keep_their_meaning_layer_by_layer(seed: int) -> None:
    test_pipeline_keeps_the_meaning_of_quantized_networks(seed)
    test_each_layer_is_within_a_step_of_onnx_runtime_on_its_inputs(seed)


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("seed", range(3))
def test_c_of_quantized_networks_gives_the_simulators_bits(seed: int, on: str) -> None:
    graph = optimize(quantized_network(seed))
    integer = quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-20.0, 20.0)))
    check_portable_c(integer, on, samples=4)


@pytest.mark.parametrize("seed", range(20))
def test_a_network_that_is_quantized_in_part_needs_ranges_of_the_rest_alone(seed: int) -> None:
    graph = optimize(quantized_network(seed, share=0.5))
    rest = scaled_tensors(graph)
    integer = quantize_graph(graph, dict.fromkeys(rest, (-3.0, 3.0)))
    for name, tensor in graph.tensors.items():
        if not tensor.is_constant and tensor.quant is not None:
            assert integer.tensors[name].quant == tensor.quant


def test_a_second_run_changes_nothing() -> None:
    for seed in range(30):
        once = optimize(quantized_network(seed))
        assert absorb_quantization(once).text() == once.text()


def _is_given(layer: Layer, graph: Graph) -> bool:
    """Whether all that the layer reads and gives is quantized in the graph: nothing of it is mcuq's choice."""
    tensors = [graph.tensors[t.name] for t in layer.activations] + [graph.tensors[layer.output.name]]
    if isinstance(layer.op, Binary):
        tensors += [graph.tensors[n] for node in graph.nodes if node.output == layer.output.name for n in node.inputs]
    return all(t.quant is not None for t in tensors)


def reals(graph: Graph) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {n: rng.normal(size=(3, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}


def replace_outputs(graph: Graph, names: list[str]) -> Graph:
    return Graph(graph.name, graph.nodes, graph.tensors, graph.inputs, tuple(names))
