"""Weights that came quantized keep their integers, on every kernel."""

from __future__ import annotations

import numpy as np
import pytest
from support import check_c

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Quant, Tensor
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.given_weights import given_weight_scale, has_given_weights, loses_given_weights
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph


def weight(q: Array, scale: tuple[float, ...]) -> Tensor:
    column = np.array(scale, np.float32).reshape(-1, *(1,) * (q.ndim - 1))
    data = (q.astype(np.float32) * column).astype(np.float32)
    return Tensor("w", q.shape, "float32", data, Quant(tuple(float(np.float32(s)) for s in scale)))


def fully_connected(q: Array, scale: tuple[float, ...], bias: Array | None = None) -> Graph:
    builder = GraphBuilder("net")
    tensor = weight(q, scale)
    inputs = [
        builder.input("x", (1, q.shape[1])),
        builder.constant(tensor.values, "w", tensor.quant),
        builder.constant(np.zeros(len(q), np.float32) if bias is None else bias, "b"),
    ]
    builder.outputs.append(builder.add(FullyConnected(), inputs, "y"))
    return builder.graph()


def test_integers_are_kept_though_no_weight_is_127() -> None:
    q = np.array([[3, -5, 90], [1, 0, -2]], np.int8)
    graph = quantize_graph(fully_connected(q, (0.01, 0.3)), {"x": (-1, 1), "y": (-1, 1)})
    (layer,) = graph.layers()
    assert np.array_equal(layer.inputs[1].values, q)
    assert np.allclose(layer.inputs[1].quantization.scale, (0.01, 0.3))


def test_minus_128_is_kept() -> None:
    q = np.array([[-128, 127, 5]], np.int8)
    graph = quantize_graph(fully_connected(q, (0.02,)), {"x": (-1, 1), "y": (-1, 1)})
    assert np.array_equal(graph.tensors["w"].values, q)


def test_one_scale_is_that_of_all_channels() -> None:
    assert given_weight_scale(Tensor("w", (2, 1), data=np.float32([[0.5], [1]]), quant=Quant((0.5,)))).tolist() == [
        0.5,
        0.5,
    ]


def test_a_channel_beyond_int8_is_rounded_anew_and_the_others_are_kept() -> None:
    q = np.array([[-200, 55, 0], [4, -9, 100]], np.int16)
    scale = given_weight_scale(weight(q, (0.01, 0.01)))
    assert scale is not None
    assert np.isnan(scale).tolist() == [True, False]
    graph = fully_connected(q, (0.01, 0.01))
    (layer,) = graph.layers()
    assert loses_given_weights(layer)
    assert not has_given_weights(layer)
    integer = quantize_graph(graph, {"x": (-1, 1), "y": (-1, 1)})
    assert integer.tensors["w"].values.tolist() == [[-127, 35, 0], [4, -9, 100]]


def test_the_scale_of_a_channel_of_zeros_does_not_count() -> None:
    q = np.array([[0, 0], [4, -9]], np.int8)
    scale = given_weight_scale(weight(q, (1000.0, 0.01)))
    assert scale is not None
    assert np.allclose(scale, [0.01, 0.01])


def test_a_float_layer_has_no_given_weights() -> None:
    builder = GraphBuilder("net")
    inputs = [
        builder.input("x", (1, 2)),
        builder.constant(np.ones((3, 2), np.float32)),
        builder.constant(np.ones(3, np.float32)),
    ]
    builder.outputs.append(builder.add(FullyConnected(), inputs, "y"))
    (layer,) = builder.graph().layers()
    assert not has_given_weights(layer)
    assert not loses_given_weights(layer)


def test_an_int32_bias_behind_dequantize_linear_is_exact() -> None:
    q, stored = np.array([[3, -5], [1, 7]], np.int8), np.array([123456, -7654321])
    x_step = np.float32(2 / 255)
    bias = (stored.astype(np.float32) * (x_step * np.float32([0.01, 0.3]))).astype(np.float32)
    graph = fully_connected(q, (0.01, 0.3), bias)
    given = graph.tensors["x"].__class__("x", (1, 2), quant=Quant((float(x_step),), 0))
    graph = Graph("net", graph.nodes, {**graph.tensors, "x": given}, graph.inputs, graph.outputs)
    integer = quantize_graph(graph, {"y": (-1000, 1000)})
    assert integer.tensors["b"].values.tolist() == stored.tolist()


@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m3", "cortex-m4", pytest.param("cortex-m55", marks=pytest.mark.toolchain), "rv32imc"]
)
def test_c_gives_the_simulators_bits_with_weights_of_minus_128(board: str) -> None:
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 5, 5, 8))
    cases = [(8, Conv2d(Window((3, 3), pads=(1, 1, 1, 1))), (8, 3, 3, 8)), (8, Conv2d(Window((3, 3)), 8), (8, 3, 3, 1))]
    cases.append((4, Conv2d(Window((1, 1))), (4, 1, 1, 8)))
    for index, (outputs, op, shape) in enumerate(cases):
        q = rng.integers(-128, 128, shape).astype(np.int8)
        q[0] = -128
        tensor = weight(q, (0.01,) * outputs)
        constants = [
            builder.constant(tensor.values, f"w{index}", tensor.quant),
            builder.constant(rng.normal(size=outputs).astype(np.float32)),
        ]
        builder.outputs.append(builder.add(op, [x, *constants], f"y{index}"))
    ranges = {"x": (-1.0, 1.0), **dict.fromkeys(builder.outputs, (-20.0, 20.0))}
    graph = quantize_graph(builder.graph(), ranges)
    assert all(graph.tensors[f"w{index}"].values.min() == -128 for index in range(3))
    check_c(graph, "emulator", board=board)
