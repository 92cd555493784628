"""A layout change goes before the Affine whose dimension it brings to the end."""

from __future__ import annotations

import pytest
from networks import RELU, Network, assert_same_meaning

from mcuq.graph.ir import Graph
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize
from mcuq.passes.raise_layout import raise_layout


def raised(graph: Graph) -> str:
    after = raise_layout(graph)
    assert_same_meaning(graph, after)
    return after.text()


def test_transpose_goes_before_the_affine_of_the_dimension_that_it_moves_last() -> None:
    net = Network()
    x = net.batch_norm(net.input("x", (1, 3, 5, 4)))
    y = net.add(Transpose((0, 2, 3, 1)), [x], "y")
    assert raised(net.finish(y)) == (
        "input x: float32[1,3,5,4]\n"
        "transpose: float32[1,5,4,3] = Transpose(x) perm=0,2,3,1\n"
        "y: float32[1,5,4,3] = Affine(transpose, bn.scale:float32[3], bn.bias:float32[3]) axis=3\n"
        "output y\n"
    )


def test_elements_and_reshapes_between_come_along_in_their_order() -> None:
    net = Network()
    x = net.add(RELU, [net.batch_norm(net.input("x", (1, 3, 8)))])
    x = net.batch_norm(net.add(Reshape((1, 3, 1, 8)), [x]))
    y = net.add(Transpose((0, 2, 3, 1)), [net.add(Tanh(), [x])], "y")
    assert raised(net.finish(y)) == (
        "input x: float32[1,3,8]\n"
        "reshape_2: float32[1,3,1,8] = Reshape(x) shape=1,3,1,8\n"
        "transpose: float32[1,1,8,3] = Transpose(reshape_2) perm=0,2,3,1\n"
        "affine_3: float32[1,1,8,3] = Affine(transpose, bn.scale:float32[3], bn.bias:float32[3]) axis=3\n"
        "clip_2: float32[1,1,8,3] = Clip(affine_3) minimum=0.0\n"
        "affine_2_2: float32[1,1,8,3] = Affine(clip_2, bn.scale_2:float32[3], bn.bias_2:float32[3]) axis=3\n"
        "y: float32[1,1,8,3] = Tanh(affine_2_2)\n"
        "output y\n"
    )


@pytest.mark.parametrize("kind", ["brings another dimension last", "splits the dimension", "is read twice", "is last"])
def test_layout_stays_where_the_affine_gains_nothing(kind: str) -> None:
    net = Network()
    x = net.batch_norm(net.input("x", (1, 4, 6, 6)), 3 if kind == "is last" else 1)
    if kind == "brings another dimension last":
        y = net.add(Transpose((0, 3, 1, 2)), [x])
    elif kind == "splits the dimension":
        y = net.add(Transpose((0, 2, 1)), [net.add(Reshape((1, 2, 72)), [x])])
    else:
        y = net.add(Transpose((0, 2, 3, 1)), [x])
    outputs = (y, net.add(Tanh(), [x])) if kind == "is read twice" else (y,)
    graph = net.finish(*outputs)
    assert raised(graph) == graph.text()


@pytest.mark.parametrize("shape", [(1, 3, 6, 6), (1, 3, 9)])
def test_normalized_input_of_a_padded_convolution_is_one_depthwise_layer(shape: tuple[int, ...]) -> None:
    net = Network()
    graph = net.finish(net.conv(net.batch_norm(net.input("x", shape)), 4))
    after = optimize(graph)
    assert_same_meaning(graph, after)
    weighted = [node.op for node in after.nodes if isinstance(node.op, Conv2d | FullyConnected | Mul)]
    assert [isinstance(op, Conv2d) and op.groups for op in weighted] == [3, 1]


def test_normalized_input_of_two_padded_convolutions_is_one_depthwise_layer() -> None:
    net = Network()
    x = net.batch_norm(net.input("x", (1, 3, 6, 6)))
    graph = net.finish(net.conv(x, 4), net.conv(x, 2, name="other"))
    after = optimize(graph)
    assert_same_meaning(graph, after)
    weighted = [node.op for node in after.nodes if isinstance(node.op, Conv2d | Mul)]
    assert [isinstance(op, Conv2d) and op.groups for op in weighted] == [3, 1, 1]


def test_normalized_input_of_a_convolution_without_padding_goes_into_its_weights() -> None:
    net = Network()
    graph = net.finish(net.conv(net.batch_norm(net.input("x", (1, 3, 6, 6))), 4, 1))
    after = optimize(graph)
    assert_same_meaning(graph, after)
    assert [type(node.op) for node in after.nodes] == [Transpose, Conv2d, Transpose]
