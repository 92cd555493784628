"""Affine into weights before or behind it, into an Affine before it, or lowered to a layer."""

from __future__ import annotations

import numpy as np
import pytest
from networks import RELU, Network, assert_same_meaning

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Quant
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.mul import Mul
from mcuq.ops.tanh import Tanh
from mcuq.ops.window import Window
from mcuq.passes import Pass
from mcuq.passes.constant_operands import constant_operands_to_affine
from mcuq.passes.fold_affine import fold_affine, lower_affine

POINT, PLAIN, PADDED = Window((1, 1)), Window((3, 3)), Window((3, 3), pads=(1, 1, 1, 1))


def conv(net: Network, x: str, window: Window = PLAIN, groups: int = 1, output: str = "y", **bounds: float) -> str:
    """A convolution of a channels-last tensor, as wide as its input."""
    channels = net.shape(x)[3]
    constants = [net.normal(channels, *window.kernel, channels // groups), net.normal(channels)]
    inputs = [x, *(net.constant(c, f"{output}.{part}") for c, part in zip(constants, "wb", strict=True))]
    return net.add(Conv2d(window, groups, **bounds), inputs, output)


def folded(graph: Graph, *passes: Pass) -> str:
    """The text after the passes; each must keep the meaning."""
    for rewrite in passes or (fold_affine,):
        after = rewrite(graph)
        assert_same_meaning(graph, after)
        graph = after
    return graph.text()


@pytest.mark.parametrize("groups", [1, 3])
def test_affine_behind_a_convolution_goes_into_its_weights(groups: int) -> None:
    net = Network()
    before = net.finish(net.batch_norm(conv(net, net.input("x", (1, 5, 5, 3)), PADDED, groups), 3))
    shown = " groups=3" if groups == 3 else ""
    assert before.text() == (
        "input x: float32[1,5,5,3]\n"
        f"y: float32[1,5,5,3] = Conv2d(x, y.w:float32[3,3,3,{3 // groups}], y.b:float32[3]) window={PADDED}{shown}\n"
        "affine: float32[1,5,5,3] = Affine(y, bn.scale:float32[3], bn.bias:float32[3]) axis=3\n"
        "output affine\n"
    )
    assert folded(before) == (
        "input x: float32[1,5,5,3]\n"
        f"affine: float32[1,5,5,3] = Conv2d(x, y.w_2:float32[3,3,3,{3 // groups}], y.b_2:float32[3]) "
        f"window={PADDED}{shown}\n"
        "output affine\n"
    )


def test_affine_behind_a_fully_connected_layer_goes_into_its_weights() -> None:
    net = Network()
    before = net.finish(net.batch_norm(net.linear(net.input("x", (2, 5)), 3), 1))
    assert folded(before) == (
        "input x: float32[2,5]\n"
        "affine: float32[2,3] = FullyConnected(x, fc.w_2:float32[3,5], fc.b_2:float32[3])\n"
        "output affine\n"
    )


def test_affine_before_a_convolution_without_padding_goes_into_its_weights() -> None:
    net = Network()
    before = net.finish(conv(net, net.batch_norm(net.input("x", (1, 5, 5, 3)), 3)))
    assert folded(before) == (
        "input x: float32[1,5,5,3]\n"
        f"y: float32[1,3,3,3] = Conv2d(x, y.w_2:float32[3,3,3,3], y.b_2:float32[3]) window={PLAIN}\n"
        "output y\n"
    )


def test_affine_before_a_fully_connected_layer_goes_into_its_weights() -> None:
    net = Network()
    before = net.finish(net.linear(net.batch_norm(net.input("x", (2, 5)), 1), 3))
    assert folded(before) == (
        "input x: float32[2,5]\n"
        "fc: float32[2,3] = FullyConnected(x, fc.w_2:float32[3,5], fc.b_2:float32[3])\n"
        "output fc\n"
    )


def test_affine_with_a_bias_stays_before_a_padded_convolution() -> None:
    net = Network()
    before = net.finish(conv(net, net.batch_norm(net.input("x", (1, 5, 5, 3)), 3), PADDED))
    assert folded(before) == before.text()


def test_affine_without_a_bias_goes_into_a_padded_convolution() -> None:
    net = Network()
    x = net.input("x", (1, 5, 5, 3))
    scaled = net.add(Affine(3), [x, net.constant(net.normal(3)), net.constant(np.zeros(3, np.float32))])
    assert "Affine" not in folded(net.finish(conv(net, scaled, PADDED)))


def test_affine_of_one_value_goes_into_weights_whatever_its_dimension() -> None:
    net = Network()
    y = conv(net, net.input("x", (1, 5, 5, 3)))
    same = [net.constant(np.full(3, value, np.float32)) for value in (0.5, 2.0)]
    assert "Affine" not in folded(net.finish(net.add(Affine(1), [y, *same])))


def test_affine_of_another_dimension_stays() -> None:
    net = Network()
    before = net.finish(net.batch_norm(conv(net, net.input("x", (1, 5, 5, 3))), 1))
    assert folded(before) == before.text()


def test_affine_stays_when_its_input_is_also_an_output() -> None:
    net = Network()
    y = conv(net, net.input("x", (1, 5, 5, 3)))
    before = net.finish(net.batch_norm(y, 3), y)
    assert folded(before) == before.text()


def test_affine_stays_when_its_input_has_another_reader() -> None:
    net = Network()
    y = conv(net, net.input("x", (1, 5, 5, 3)))
    before = net.finish(net.add(Add(), [net.batch_norm(y, 3), y]))
    assert folded(before) == before.text()


def test_affine_stays_before_layers_when_it_has_two_readers_or_is_an_output() -> None:
    net = Network()
    a = net.batch_norm(net.input("x", (1, 5, 5, 3)), 3)
    before = net.finish(conv(net, a), conv(net, a, output="z"))
    assert folded(before) == before.text()
    net = Network()
    a = net.batch_norm(net.input("x", (1, 5, 5, 3)), 3)
    before = net.finish(conv(net, a), a)
    assert folded(before) == before.text()


def test_affine_stays_behind_a_layer_with_fused_bounds() -> None:
    net = Network()
    before = net.finish(net.batch_norm(conv(net, net.input("x", (1, 5, 5, 3)), minimum=0.0), 3))
    assert folded(before) == before.text()


def test_affine_before_a_layer_keeps_the_layers_fused_bounds() -> None:
    net = Network()
    before = net.finish(conv(net, net.batch_norm(net.input("x", (1, 5, 5, 3)), 3), minimum=0.0))
    assert folded(before) == (
        "input x: float32[1,5,5,3]\n"
        f"y: float32[1,3,3,3] = Conv2d(x, y.w_2:float32[3,3,3,3], y.b_2:float32[3]) minimum=0.0 window={PLAIN}\n"
        "output y\n"
    )


def test_weights_that_two_layers_share_are_changed_for_one() -> None:
    net = Network()
    x = net.input("x", (1, 5, 5, 3))
    y = conv(net, x)
    z = net.add(net.nodes[y].op, [net.add(Tanh(), [x]), "y.w", "y.b"], "z")
    before = net.finish(net.batch_norm(y, 3), z)
    assert "z: float32[1,3,3,3] = Conv2d(tanh, y.w:float32[3,3,3,3], y.b:float32[3])" in folded(before)


def test_two_affines_are_one_even_where_no_layer_takes_them() -> None:
    net = Network()
    before = net.finish(net.batch_norm(net.batch_norm(net.input("x", (1, 3, 5, 5)))))
    assert folded(before) == (
        "input x: float32[1,3,5,5]\n"
        "affine_2: float32[1,3,5,5] = Affine(x, bn.scale_2_2:float32[3], bn.bias_2_2:float32[3]) axis=1\n"
        "output affine_2\n"
    )


def test_affines_in_a_row_go_into_the_layer_behind_them() -> None:
    """x / 255, minus a mean, over a deviation: what exporters put before the first layer."""
    net = Network()
    x = net.add(Mul(), [net.input("x", (1, 5, 5, 3)), net.constant(np.full((1, 1, 1, 1), 1 / 255, np.float32))])
    x = net.add(Sub(), [x, net.constant(net.normal(1, 1, 1, 3))])
    x = net.add(Mul(), [x, net.constant(net.normal(1, 1, 1, 3))])
    assert folded(net.finish(conv(net, x)), constant_operands_to_affine, fold_affine) == (
        "input x: float32[1,5,5,3]\n"
        f"y: float32[1,3,3,3] = Conv2d(x, y.w_2:float32[3,3,3,3], y.b_2:float32[3]) window={PLAIN}\n"
        "output y\n"
    )


def test_affines_of_unlike_dimensions_stay_two() -> None:
    net = Network()
    before = net.finish(net.batch_norm(net.batch_norm(net.input("x", (1, 3, 5, 5)), 1), 3))
    assert folded(before) == before.text()


def test_affine_of_one_value_joins_one_of_another_dimension() -> None:
    net = Network()
    same = [net.constant(np.full(5, value, np.float32)) for value in (0.5, 2.0)]
    x = net.add(Affine(3), [net.input("x", (1, 3, 5, 5)), *same])
    assert folded(net.finish(net.batch_norm(x, 1))).count("Affine") == 1
    net = Network()
    same = [net.constant(np.full(5, value, np.float32)) for value in (0.5, 2.0)]
    x = net.batch_norm(net.input("x", (1, 3, 5, 5)), 1)
    assert folded(net.finish(net.add(Affine(3), [x, *same]))).count("Affine") == 1


def test_affines_with_an_output_or_another_reader_between_them_stay_two() -> None:
    net = Network()
    a = net.batch_norm(net.input("x", (1, 3, 5, 5)))
    before = net.finish(net.batch_norm(a), a)
    assert folded(before) == before.text()


# What no layer takes.


def test_affine_of_the_last_dimension_becomes_a_depthwise_layer() -> None:
    net = Network()
    before = net.finish(net.batch_norm(net.add(RELU, [net.input("x", (2, 5, 4, 3))]), 3))
    assert folded(before, lower_affine) == (
        "input x: float32[2,5,4,3]\n"
        "clip: float32[2,5,4,3] = Clip(x) minimum=0.0\n"
        "reshape: float32[1,1,40,3] = Reshape(clip) shape=1,1,40,3\n"
        "affine_2: float32[1,1,40,3] = Conv2d(reshape, bn.scale_2:float32[3,1,1,1], bn.bias_2:float32[3]) "
        f"window={POINT} groups=3\n"
        "affine: float32[2,5,4,3] = Reshape(affine_2) shape=2,5,4,3\n"
        "output affine\n"
    )


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 3), (2, 2, 2, 2, 3)], ids=str)
def test_affine_of_any_rank_becomes_a_depthwise_layer(shape: tuple[int, ...]) -> None:
    net = Network()
    text = folded(net.finish(net.batch_norm(net.input("x", shape), len(shape) - 1)), lower_affine)
    assert text.count("Conv2d") == 1


def test_affine_of_another_dimension_becomes_a_product_and_a_sum() -> None:
    net = Network()
    before = net.finish(net.batch_norm(net.input("x", (2, 3, 5, 4)), 1))
    assert folded(before, lower_affine) == (
        "input x: float32[2,3,5,4]\n"
        "affine.mul: float32[2,3,5,4] = Mul(x, bn.scale_2:float32[1,3,1,1])\n"
        "affine: float32[2,3,5,4] = Add(affine.mul, bn.bias_2:float32[1,3,1,1])\n"
        "output affine\n"
    )


def test_sum_of_a_vector_along_another_dimension_stays_a_sum_alone() -> None:
    net = Network()
    before = net.finish(net.add(Sub(), [net.input("x", (2, 3, 5, 4)), net.constant(net.normal(1, 3, 1, 1))], "y"))
    assert folded(before, constant_operands_to_affine, fold_affine, lower_affine) == (
        "input x: float32[2,3,5,4]\ny: float32[2,3,5,4] = Add(x, y.bias_2:float32[1,3,1,1])\noutput y\n"
    )


def test_product_with_a_vector_along_another_dimension_stays_a_product_alone() -> None:
    net = Network()
    before = net.finish(net.add(Mul(), [net.input("x", (2, 3, 5, 4)), net.constant(net.normal(1, 3, 1, 1))], "y"))
    assert folded(before, constant_operands_to_affine, fold_affine, lower_affine) == (
        "input x: float32[2,3,5,4]\ny: float32[2,3,5,4] = Mul(x, y.scale_2:float32[1,3,1,1])\noutput y\n"
    )


def quantized_conv(net: Network, x: str, output: str = "y") -> str:
    """A convolution whose weights are the integers -9 to 9 times a scale for each output."""
    channels = net.shape(x)[3]
    scale = np.linspace(0.1, 0.2, channels).astype(np.float32)
    q = net.rng.integers(-9, 10, (channels, 1, 1, channels))
    weight = (q * scale.reshape(-1, 1, 1, 1)).astype(np.float32)
    inputs = [
        x,
        net.constant(weight, "w", Quant(tuple(scale.astype(float).tolist()))),
        net.constant(net.normal(channels)),
    ]
    return net.add(Conv2d(POINT), inputs, output)


def integers(graph: Graph) -> Array:
    (layer,) = [layer for layer in graph.layers() if isinstance(layer.op, Conv2d)]
    weight = layer.inputs[1]
    return np.rint(weight.values / np.array(weight.quantization.scale).reshape(-1, 1, 1, 1))


def test_given_integers_of_weights_keep_their_size_behind_them() -> None:
    net = Network()
    y = quantized_conv(net, net.input("x", (1, 5, 5, 3)))
    scale, bias = net.constant(np.float32([2.0, -0.3, 0.0])), net.constant(net.normal(3))
    before = net.finish(net.add(Affine(3), [y, scale, bias], "affine"))
    after = fold_affine(before)
    assert_same_meaning(before, after)
    assert [type(node.op) for node in after.nodes] == [Conv2d]
    want = [1, -1, 0] * integers(before).transpose(1, 2, 3, 0)
    assert np.array_equal(integers(after).transpose(1, 2, 3, 0), want)


def test_given_integers_of_weights_stay_before_them_unless_one_factor_is_for_all() -> None:
    for factors, folds in (([2.0, 0.5, 1.0], False), ([0.5, 0.5, 0.5], True)):
        net = Network()
        constants = [net.constant(np.float32(factors)), net.constant(net.normal(3))]
        a = net.add(Affine(3), [net.input("x", (1, 5, 5, 3)), *constants], "a")
        before = net.finish(quantized_conv(net, a))
        after = fold_affine(before)
        assert_same_meaning(before, after)
        assert ("Affine" not in after.text()) == folds
        assert np.array_equal(integers(after), integers(before))


def test_a_depthwise_layer_takes_the_clip_behind_it() -> None:
    net = Network()
    a = net.batch_norm(net.input("x", (1, 5, 5, 3)), 3)
    before = net.finish(net.add(RELU, [a], "y"))
    after = lower_affine(before)
    assert_same_meaning(before, after)
    assert [type(node.op).__name__ for node in after.nodes] == ["Reshape", "Conv2d", "Reshape"]
    assert " minimum=0.0 " in after.text()


def test_a_clip_stays_where_somebody_else_reads_before_it() -> None:
    net = Network()
    a = net.batch_norm(net.input("x", (1, 5, 5, 3)), 3)
    after = lower_affine(net.finish(net.add(RELU, [a], "y"), a))
    assert "Clip" in after.text()
