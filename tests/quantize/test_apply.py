from collections.abc import Mapping

import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, Quant
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.weighted import BIAS_MAX
from mcuq.ops.window import Window
from mcuq.passes import optimize
from mcuq.passes.separate_fixed_scales import separate_fixed_scales
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import Range, scaled_tensors


def quant(low: float, high: float) -> Quant:
    """Of a range that has a whole zero point."""
    step = (high - low) / 255
    return Quant((step,), round(-128 - low / step))


def dense(builder: GraphBuilder, x: str, weight: Array, bias: Array, name: str = "dense", **bounds: float) -> str:
    constants = [builder.constant(np.asarray(a, np.float32), f"{name}.{k}") for k, a in (("w", weight), ("b", bias))]
    return builder.add(FullyConnected(**bounds), [x, *constants], name)


def quantized(builder: GraphBuilder, ranges: Mapping[str, Range], *outputs: str) -> Graph:
    builder.outputs += outputs
    return quantize_graph(builder.graph(), ranges)


def test_every_tensor_gets_the_scale_of_its_range() -> None:
    builder = GraphBuilder("net")
    y = builder.add(Add(), [builder.input("a", (4,)), builder.input("b", (4,))], "y")
    graph = quantized(builder, {"a": (0, 2.55), "b": (-1.28, 1.27), "y": (-2.55, 0)}, y)
    assert {name: (round(t.scale, 9), t.zero_point) for name, t in graph.tensors.items()} == {
        "a": (0.01, -128),
        "b": (0.01, 0),
        "y": (0.01, 127),
    }
    assert graph.is_integer


def test_what_only_moves_data_keeps_scale_and_zero_point() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4, 6, 2))
    for op in (
        MaxPool(Window((2, 2), strides=(2, 2))),
        Transpose((0, 2, 1, 3)),
        Slice((0, 1, 0, 0), (1, 2, 2, 2), (1, 1, 1, 1)),
        Reshape((2, 4)),
        Pad((0, 1), (1, 0)),
    ):
        x = builder.add(op, [x])
    graph = quantized(builder, {"x": (-1.0, 1.55)}, x)
    assert {t.quantization for t in graph.tensors.values()} == {quant(-1.0, 1.55)}


def test_branches_of_a_concat_share_a_scale_that_covers_all_of_them() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4))
    a, b = builder.add(Add(), [x, x], "a"), builder.add(Mul(), [x, x], "b")
    after = builder.add(Reshape((8,)), [builder.add(Concat(1), [a, b], "joined")], "after")
    graph = quantized(builder, {"x": (-1, 1), "a": (-2, 0.5), "b": (0, 3.1)}, after)
    shared = quant(-2, 3.1)
    assert [graph.tensors[name].quantization for name in ("a", "b", "joined", "after")] == [shared] * 4
    assert graph.tensors["x"].quantization != shared


def test_concats_with_a_common_branch_share_one_scale() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4))
    a, b, c = (builder.add(Tanh(), [x], name) for name in "abc")
    left, right = builder.add(Concat(1), [a, b], "left"), builder.add(Concat(1), [b, c], "right")
    graph = quantized(builder, {"x": (-1, 1), "a": (-4, 0), "b": (0, 1), "c": (0, 1.1)}, left, right)
    assert {graph.tensors[name].quantization for name in ("a", "b", "c", "left", "right")} == {quant(-4, 1.1)}


def test_a_constant_part_of_a_concat_is_covered_and_quantized_in_the_shared_scale() -> None:
    builder = GraphBuilder("net")
    part = builder.constant(np.array([[-3.0, 2.1]], np.float32), "part")
    graph = quantized(builder, {"x": (-1, 1)}, builder.add(Concat(1), [builder.input("x", (1, 2)), part], "y"))
    assert graph.tensors["x"].quantization == graph.tensors["y"].quantization == quant(-3, float(np.float32(2.1)))
    assert graph.tensors["part"].values.tolist() == [[-128, 127]]
    assert graph.tensors["part"].quant == graph.tensors["y"].quant


def test_the_value_of_a_pad_is_covered() -> None:
    builder = GraphBuilder("net")
    graph = quantized(builder, {"x": (-1, 1)}, builder.add(Pad((1,), (0,), -4.1), [builder.input("x", (3,))], "y"))
    assert graph.tensors["x"].quantization == quant(-4.1, 1)


def test_an_operator_that_fixes_its_scale_needs_no_range_and_passes_it_on() -> None:
    builder = GraphBuilder("net")
    y = builder.add(Transpose((1, 0)), [builder.add(Softmax(), [builder.input("x", (2, 3))], "s")], "y")
    graph = quantized(builder, {"x": (-1, 1)}, y)
    assert graph.tensors["s"].quantization == graph.tensors["y"].quantization == Quant((1 / 256,), -128)


def softmax_beside_tanh() -> Graph:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4))
    s, t = builder.add(Softmax(), [x], "s"), builder.add(Tanh(), [x], "t")
    builder.outputs.append(builder.add(Concat(1), [builder.add(Reshape((1, 4)), [s], "r"), t], "y"))
    return builder.graph()


def test_a_rescale_stands_between_a_fixed_scale_and_a_concat() -> None:
    assert separate_fixed_scales(softmax_beside_tanh()).text() == (
        "input x: float32[1,4]\n"
        "s: float32[1,4] = Softmax(x)\n"
        "r: float32[1,4] = Reshape(s) shape=1,4\n"
        "rescale: float32[1,4] = Rescale(r)\n"
        "t: float32[1,4] = Tanh(x)\n"
        "y: float32[1,8] = Concat(rescale, t) axis=1\n"
        "output y\n"
    )


def test_a_fixed_scale_beside_another_in_a_concat_computes_what_floats_do() -> None:
    float_graph = optimize(softmax_beside_tanh())
    ranges = dict.fromkeys(scaled_tensors(float_graph), (-1.0, 1.0)) | {"x": (-3.0, 3.0)}
    graph = quantize_graph(float_graph, ranges)
    assert graph.tensors["s"].quantization == Quant((1 / 256,), -128)
    assert graph.tensors["y"].quantization == quant(-1, 1)
    x = np.array([[[-3.0, 0.5, 1.0, 3.0]]])
    y = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": x})))["y"][0, 0]
    softmax = np.exp(x[0, 0]) / np.exp(x[0, 0]).sum()
    assert np.abs(y - np.concatenate([softmax, np.tanh(x[0, 0])])).max() < 3 * 2 / 255


def test_fused_bounds_cut_the_range() -> None:
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 2)), np.eye(2), np.zeros(2), "y", minimum=0.0, maximum=2.0)
    graph = quantized(builder, {"x": (-1, 1), "y": (-3, 5)}, y)
    assert graph.tensors["y"].quantization == quant(0, 2)


def test_weights_are_symmetric_int8_per_output_channel() -> None:
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 3)), np.array([[1.27, -0.5, 0], [0, 0.01, -0.254]]), np.zeros(2), "y")
    graph = quantized(builder, {"x": (-1, 1), "y": (-1, 1)}, y)
    weight = graph.tensors["y.w"]
    assert weight.values.tolist() == [[127, -50, 0], [0, 5, -127]]
    assert weight.quantization.zero_point == 0
    np.testing.assert_allclose(weight.quantization.scale, [0.01, 0.002], rtol=1e-6)


def test_the_bias_has_the_inputs_zero_point_folded_in() -> None:
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 2)), np.array([[1.27, 0.5], [-1.27, 1.27]]), np.array([0.3, -2.0]), "y")
    graph = quantized(builder, {"x": (0, 2.55), "y": (-4, 4)}, y)
    bias = graph.tensors["y.b"]
    assert graph.tensors["x"].zero_point == -128
    np.testing.assert_allclose(bias.quantization.scale, [1e-4, 1e-4], rtol=1e-6)
    assert (bias.dtype, bias.values.tolist()) == ("int32", [3000 + 128 * (127 + 50), -20000])


@pytest.mark.parametrize("tiny_weight", [0.0, 1e-30, 1e-12, 1e-7])
def test_a_channel_whose_weights_are_all_but_zero_keeps_its_bias(tiny_weight: float) -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 3, 3, 2))
    weight = np.stack([np.full((3, 3, 2), 0.1), np.full((3, 3, 2), tiny_weight)]).astype(np.float32)
    names = [builder.constant(weight, "w"), builder.constant(np.array([0.5, 3.0], np.float32), "b")]
    y = builder.add(Conv2d(Window((3, 3))), [x, *names], "y")
    graph = quantized(builder, {"x": (-1, 1), "y": (-4, 4)}, y)
    assert np.abs(graph.tensors["b"].values).max() <= BIAS_MAX
    real = np.random.default_rng(0).uniform(-1, 1, (20, 1, 3, 3, 2))
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": real})))["y"].reshape(20, 2)
    assert np.abs(got[:, 1] - 3.0).max() <= graph.tensors["y"].scale
    assert np.abs(got[:, 0] - (0.5 + 0.1 * real.sum(axis=(1, 2, 3, 4)))).max() <= 2 * graph.tensors["y"].scale


def test_a_layer_without_any_weight_gives_its_bias() -> None:
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 2)), np.zeros((2, 2)), np.array([0.5, -0.25]), "y")
    graph = quantized(builder, {"x": (-1, 1), "y": (-1, 1)}, y)
    got = dequantize_outputs(graph, simulate(graph, {"x": np.array([[[-128, 127]]], np.int8)}))["y"]
    assert np.abs(got[0, 0] - [0.5, -0.25]).max() <= graph.tensors["y"].scale / 2


def test_a_bias_that_int32_would_not_hold_makes_the_weights_coarser() -> None:
    builder = GraphBuilder("net")
    weight = np.ones((2, 70_000))
    weight[0] = 0
    y = dense(builder, builder.input("x", (1, 70_000)), weight, np.array([0.0, 33_000]), "y")
    graph = quantized(builder, {"x": (0, 1), "y": (0, 110_000)}, y)
    real = np.repeat([0.0, 0.25, 1.0], 70_000).reshape(3, 1, 70_000)
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": real})))["y"].reshape(3, 2)
    wanted = [[0, 33_000], [0, 50_500], [0, 103_000]]
    assert np.abs(got - wanted).max() <= graph.tensors["y"].scale


def test_layers_that_share_float_constants_get_integer_ones_of_their_own() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 2))
    names = [builder.constant(np.eye(2, dtype=np.float32), "w"), builder.constant(np.ones(2, np.float32), "b")]
    y = builder.add(FullyConnected(), [builder.add(FullyConnected(), [x, *names], "w_2"), *names], "y")
    graph = quantized(builder, {"x": (0, 1), "w_2": (0, 10), "y": (0, 10)}, y)
    assert [node.inputs for node in graph.nodes] == [("x", "w", "b"), ("w_2", "w_3", "b_2")]
    first, second = graph.tensors["b"], graph.tensors["b_2"]
    assert first.quantization.scale != second.quantization.scale


def test_the_float_graph_is_left_as_it_was() -> None:
    graph = softmax_beside_tanh()
    before = graph.text()
    quantize_graph(separate_fixed_scales(graph), {"x": (-1, 1), "t": (-1, 1), "rescale": (0, 1)})
    assert graph.text() == before


def test_a_sigmoid_keeps_its_calibrated_range() -> None:
    builder = GraphBuilder("net")
    graph = quantized(builder, {"x": (-1, 1), "y": (0, 0.51)}, builder.add(Sigmoid(), [builder.input("x", (3,))], "y"))
    assert graph.tensors["y"].quantization == quant(0, 0.51)
