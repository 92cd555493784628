"""Conv2d: standard, grouped, depthwise and 1-D; C against the simulator, the simulator against float, relations."""

from __future__ import annotations

from dataclasses import replace
from inspect import unwrap
from math import inf

import numpy as np
import pytest
from cases.conv2d import any_groups, borders, conv, corners
from support import (
    Case,
    check_float,
    check_portable_c,
    dequantized,
    float_graph,
    given_integers,
    integer_branches,
    integer_graph,
    random_inputs,
)

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.kernels.portable.conv2d import lower_conv2d
from mcuq.kernels.portable.depthwise import lower_depthwise
from mcuq.lower import choose_kernel
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.pad import Pad
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph

# Half a step, and the multiplier's rounding where no channel's weights are below 2^-9 of the largest's.
STEPS = 0.5 + 1e-4
# The same down to 2^-18, below which no scale goes.
WORST_STEPS = 0.5 + 0.032


def test_kernels_look_for_padding_just_where_a_window_leaves_the_image() -> None:
    cases = [*corners(), *borders(), *any_groups(40, 60)]
    found = set()
    for op, inputs in cases:
        (layer,) = integer_graph(op, inputs).layers()
        (call,) = choose_kernel(layer, frozenset()).lower(layer.op, layer)
        window = op.window
        meets = any(
            not 0 <= o * window.strides[axis] - window.pads[axis] + k * window.dilations[axis] < inputs[0][axis + 1]
            for axis in range(2)
            for o in range(layer.output.shape[axis + 1])
            for k in range(window.kernel[axis])
        )
        assert call.constants.meets_padding == meets
        found.add((meets, layer.op.is_depthwise(layer), any(window.pads)))
    assert {(meets, depthwise, True) for meets in (False, True) for depthwise in (False, True)} <= found


def test_depthwise_bias_holds_no_padding_where_the_kernel_takes_the_zero_point_off() -> None:
    rng = np.random.default_rng(33)
    weight, bias = np.full((4, 3, 3, 1), -1.0), rng.normal(size=4)
    for pads, taken_off in (((1, 1, 1, 1), -128), ((0, 0, 0, 0), 0)):
        op = Conv2d(Window((3, 3), pads=pads), 4)
        (layer,) = integer_graph(op, [(1, 5, 5, 4), weight, bias], {"x0": (0.0, 1.0)}).layers()
        (call,) = choose_kernel(layer, frozenset()).lower(layer.op, layer)
        assert (call.constants.numbers()["x_zero_point"], layer.inputs[0].zero_point) == (taken_off, -128)
        assert call.arrays["bias"].tolist() == (layer.inputs[2].values + taken_off * 9 * -127).tolist()
        assert np.abs(call.arrays["bias"]).max() <= call.bound


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    check_float(integer_branches(corners()), STEPS)
    for seed in range(10):
        check_float(integer_branches(any_groups(seed, 20), seed), STEPS)


def test_depthwise_kernel_takes_just_the_layers_whose_outputs_read_one_of_several_channels() -> None:
    rng = np.random.default_rng(0)
    for x, out_channels, groups, lower in [
        ((1, 3, 3, 4), 4, 4, lower_depthwise),
        ((1, 3, 3, 4), 8, 4, lower_depthwise),
        ((1, 3, 3, 4), 4, 2, lower_conv2d),
        ((1, 3, 3, 1), 4, 1, lower_conv2d),
    ]:
        op, inputs = conv(rng, x, (3, 3), out_channels, groups)
        (layer,) = integer_graph(op, inputs).layers()
        assert unwrap(choose_kernel(layer, frozenset()).lower) is lower


def extreme_layer(weight: float, bias: float, groups: int = 1) -> Graph:
    """60 taps, all weights and inputs at one extreme."""
    channels = 4 * groups
    inputs = [(1, 4, 5, channels), np.full((groups, 3, 5, 4), weight), np.full(groups, bias)]
    return integer_graph(Conv2d(Window((3, 5), pads=(1, 2, 1, 2)), groups), inputs, {"y": (-70.0, 70.0)})


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("weight", [-1.0, 1.0])
def test_accumulator_reaches_its_bound_and_no_more(on: str, weight: float) -> None:
    graph = extreme_layer(weight, 2.0 * weight)
    (layer,) = graph.layers()
    (call,) = choose_kernel(layer, frozenset()).lower(layer.op, layer)
    assert call.bound == abs(int(layer.inputs[2].values[0])) + 60 * 127 * 128
    check_portable_c(graph, on, samples=3)
    check_float(graph, STEPS)


def test_macs_are_taps_times_outputs() -> None:
    rng = np.random.default_rng(0)
    graph = float_graph(*conv(rng, (2, 5, 5, 4), (3, 2), 6, groups=2, pads=(1, 0, 1, 0)))
    assert graph.macs() == 2 * 5 * 4 * 6 * (3 * 2 * 2)


@pytest.mark.parametrize("small", [2.0**-9, 2.0**-17, 2.0**-18, 2.0**-30, 0.0])
def test_channel_of_much_smaller_weights_is_within_half_a_step_and_its_multipliers_rounding(small: float) -> None:
    rng = np.random.default_rng(9)
    weight = np.array([1, small], np.float32).reshape(2, 1, 1, 1)
    for _ in range(100):
        high = rng.uniform(0.6, 1.9)
        bias = np.array([0, rng.uniform(0.5, 1) * high])
        graph = integer_graph(Conv2d(Window((1, 1))), [(1, 1, 1, 1), weight, bias], {"y": (0, high)})
        check_float(graph, STEPS if small == 2.0**-9 else WORST_STEPS, samples=3)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_channels_without_weights_gives_the_simulators_bits(on: str) -> None:
    weight = np.zeros((3, 2, 2, 4), np.float32)
    weight[1] = np.random.default_rng(10).normal(size=(2, 2, 4))
    cases: list[Case] = [
        (Conv2d(Window((2, 2))), [(1, 3, 4, 4), w, np.array([0.5, 0.1, -0.4])]) for w in (weight, 0 * weight)
    ]
    cases.append((Conv2d(Window((2, 2)), 3), [(1, 3, 4, 3), weight[..., :1], np.array([0.5, 0.1, -0.4])]))
    check_portable_c(integer_branches(cases), on)


# Relations.


def test_batch_of_two_is_twice_a_batch_of_one() -> None:
    for op, inputs in any_groups(20, 30):
        one, two = (
            integer_graph(op, [(batch, *inputs[0][1:]), *inputs[1:]], {"x0": (-0.7, 1.2), "y": (-1.5, 2)})
            for batch in (1, 2)
        )
        x = random_inputs(two, 4)["x0"]
        halves = [simulate(one, {"x0": x[:, i : i + 1]})["y"] for i in range(2)]
        assert np.array_equal(simulate(two, {"x0": x})["y"], np.concatenate(halves, axis=1))


def test_permuted_output_channels_permute_the_output() -> None:
    rng = np.random.default_rng(3)
    op, (x, weight, bias) = conv(rng, (1, 6, 5, 3), (3, 3), 7, pads=(1, 1, 1, 1), limits=(0, inf))
    order = rng.permutation(7)
    graph = integer_graph(op, [x, weight, bias], {"y": (-5, 5)})
    permuted = integer_graph(op, [x, weight[order], bias[order]], {"y": (-5, 5)})
    inputs = random_inputs(graph, 5)
    assert np.array_equal(simulate(permuted, inputs)["y"], simulate(graph, inputs)["y"][..., order])


def test_permuted_input_channels_change_nothing() -> None:
    rng = np.random.default_rng(4)
    op, (x, weight, bias) = conv(rng, (1, 6, 5, 5), (3, 3), 4, pads=(1, 1, 1, 1))
    order = rng.permutation(5)
    graph = integer_graph(op, [x, weight, bias], {"y": (-5, 5)})
    permuted = integer_graph(op, [x, weight[..., order], bias], {"y": (-5, 5)})
    values = random_inputs(graph, 5)["x0"]
    assert np.array_equal(simulate(permuted, {"x0": values[..., order]})["y"], simulate(graph, {"x0": values})["y"])


def test_permuted_channels_commute_with_a_depthwise_layer() -> None:
    rng = np.random.default_rng(5)
    op, (x, weight, bias) = conv(rng, (1, 6, 5, 6), (3, 3), 6, groups=6, strides=(2, 1), pads=(1, 0, 1, 2))
    order = rng.permutation(6)
    graph = integer_graph(op, [x, weight, bias], {"y": (-3, 4)})
    permuted = integer_graph(op, [x, weight[order], bias[order]], {"y": (-3, 4)})
    values = random_inputs(graph, 5)["x0"]
    assert np.array_equal(
        simulate(permuted, {"x0": values[..., order]})["y"], simulate(graph, {"x0": values})["y"][..., order]
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("x_range", [(-1.0, 1.0), (0.0, 3.0), (-0.2, 5.0)])
def test_padding_in_a_node_of_its_own_is_the_windows_padding(groups: int, x_range: tuple[float, float]) -> None:
    rng = np.random.default_rng(6)
    op, (x, weight, bias) = conv(rng, (2, 5, 4, 4), (3, 3), 8, groups, strides=(2, 1), pads=(1, 2, 3, 0))
    builder = GraphBuilder("padded")
    builder.input("x0", x)
    padded = builder.add(Pad((0, 1, 2, 0), (0, 3, 0, 0)), ["x0"])
    constants = [builder.constant(weight), builder.constant(bias)]
    without = replace(op, window=replace(op.window, pads=(0, 0, 0, 0)))
    builder.outputs.append(builder.add(without, [padded, *constants], "y"))
    ranges = {"x0": x_range, "y": (-4.0, 6.0)}
    inside, outside = integer_graph(op, [x, weight, bias], ranges), quantize_graph(builder.graph(), ranges)
    inputs = random_inputs(inside, 6)
    assert np.array_equal(simulate(inside, inputs)["y"], simulate(outside, inputs)["y"])


def test_groups_are_convolutions_side_by_side() -> None:
    rng = np.random.default_rng(7)
    op, (x, weight, bias) = conv(rng, (1, 5, 4, 6), (3, 3), 4, groups=2, pads=(1, 1, 1, 1))
    weight /= np.abs(weight).reshape(4, -1).max(axis=1)[:, None, None, None]  # one scale, so one shift
    inputs = random_inputs(integer_graph(op, [x, weight, bias]), 5)["x0"]
    whole = simulate(integer_graph(op, [x, weight, bias], {"y": (-5, 5)}), {"x0": inputs})["y"]
    for i in range(2):
        part = integer_graph(
            replace(op, groups=1),
            [(*x[:3], 3), weight[2 * i : 2 * i + 2], bias[2 * i : 2 * i + 2]],
            {"y": (-5, 5)},
        )
        got = simulate(part, {"x0": inputs[..., 3 * i : 3 * i + 3]})["y"]
        assert np.array_equal(got, whole[..., 2 * i : 2 * i + 2])


# Constants as integers.


def test_weights_take_the_whole_of_int8_in_each_channel_and_biases_fold_the_zero_point() -> None:
    rng = np.random.default_rng(8)
    op, (x, weight, bias) = conv(rng, (1, 4, 4, 3), (2, 2), 5)
    weight = rng.normal(size=weight.shape) * np.array([1, 2.0**-5, 30, 2.0**-11, 1])[:, None, None, None]
    graph = integer_graph(op, [x, weight.astype(np.float32), bias], {"x0": (-0.5, 2.5)})
    q, b = (t.values for t in graph.layer(graph.nodes[0]).inputs[1:])
    assert (q.dtype, b.dtype) == (np.int8, np.int32)
    assert np.abs(q.reshape(5, -1).astype(int)).max(axis=1).tolist() == [127] * 5
    scale = np.array(graph.tensors["c1"].quantization.scale)
    assert np.abs(q * scale[:, None, None, None] - weight).max(axis=(1, 2, 3)) == pytest.approx(scale / 2, rel=0.35)
    x_scale, x_zero_point = graph.tensors["x0"].scale, graph.tensors["x0"].zero_point
    assert x_zero_point == -85
    unfolded = b + x_zero_point * q.reshape(5, -1).sum(axis=1, dtype=np.int64)
    assert np.abs(unfolded * scale * x_scale - bias).max() <= (scale * x_scale).max() / 2
    back = dequantized(graph).tensors
    assert np.abs(back["c2"].values - bias).max() <= (scale * x_scale).max() / 2 + 1e-6


def test_channel_of_zero_weights_keeps_its_bias() -> None:
    weight, bias = np.ones((3, 1, 1, 1), np.float32), np.array([0.5, -0.7, 0.0], np.float32)
    weight[1:] = 0
    graph = integer_graph(Conv2d(Window((1, 1))), [(1, 1, 1, 1), weight, bias])
    assert np.abs(graph.tensors["c2"].values).max() <= 2**30
    y = graph.tensors["y"].quantization.dequantize(simulate(graph, random_inputs(graph, 4))["y"])[..., 1:]
    assert np.abs(y - bias[1:]).max() <= graph.tensors["y"].scale / 2


def test_layer_of_zero_weights_is_its_bias() -> None:
    graph = integer_graph(Conv2d(Window((1, 1))), [(1, 1, 1, 2), np.zeros((2, 1, 1, 2)), np.array([0.25, -0.5])])
    y = graph.tensors["y"].quantization.dequantize(simulate(graph, random_inputs(graph, 3))["y"])
    assert np.abs(y - [0.25, -0.5]).max() <= graph.tensors["y"].scale / 2


# Errors.


def refused(op: Conv2d, *shapes: tuple[int, ...]) -> str:
    x, *constants = shapes
    with pytest.raises(ModelError) as caught:
        float_graph(op, [x, *(np.zeros(shape) for shape in constants)])
    return str(caught.value)


def test_shapes_that_do_not_fit_are_refused() -> None:
    op = Conv2d(Window((3, 3)))
    assert refused(op, (1, 5, 5), (2, 3, 3, 1), (2,)) == (
        "Conv2d 'layer': input [1, 5, 5] and weight [2, 3, 3, 1] must have 4 dimensions"
    )
    assert refused(op, (1, 5, 5, 3), (2, 3, 3), (2,)) == (
        "Conv2d 'layer': input [1, 5, 5, 3] and weight [2, 3, 3] must have 4 dimensions"
    )
    assert refused(op, (1, 5, 5, 3), (2, 3, 3, 4), (2,)) == (
        "Conv2d 'layer': weight [2, 3, 3, 4] in 1 groups does not fit 3 channels"
    )
    assert refused(replace(op, groups=2), (1, 5, 5, 4), (3, 3, 3, 2), (3,)) == (
        "Conv2d 'layer': weight [3, 3, 3, 2] in 2 groups does not fit 4 channels"
    )
    assert refused(op, (1, 5, 5, 3), (2, 3, 3, 3), (3,)) == ("Conv2d 'layer': bias [3] does not fit 2 output channels")
    assert refused(Conv2d(Window((3, 3), pads=(0, 1, 0, 0), dilations=(1, 3))), (1, 5, 5, 3), (2, 3, 3, 3), (2,)) == (
        "Conv2d 'layer': a window of 7 does not fit an input of 5 with pads 1 and 0"
    )


def test_accumulator_of_given_integers_that_int32_does_not_hold_is_refused_by_channel_and_bound() -> None:
    # 2^31 / (127 * 128) = 132104.1 taps of weight 127.
    taps = 132105
    weight = np.ones((2, 1, taps, 1), np.float32)
    weight[0] = 0
    op = Conv2d(Window((1, taps)))
    (layer,) = given_integers(op, (1, 1, taps, 1), weight, (-1, 127 / 128)).layers()
    assert layer.inputs[0].zero_point == 0
    with pytest.raises(QuantizationError) as caught:
        choose_kernel(layer, frozenset()).lower(layer.op, layer)
    assert str(caught.value) == (
        "Conv2d 'layer': the accumulator of output channel 1 can reach 2147498880, more than int32 holds "
        "(2147483647); split the layer, which sums 132105 products"
    )


def test_accumulator_of_one_tap_less_is_taken() -> None:
    taps = 132104
    graph = given_integers(Conv2d(Window((1, taps))), (1, 1, taps, 1), np.ones((1, 1, taps, 1)), (-1, 127 / 128))
    (layer,) = graph.layers()
    (call,) = choose_kernel(layer, frozenset()).lower(layer.op, layer)
    assert call.bound == 127 * 128 * taps


def test_bias_of_given_integers_that_int32_does_not_hold_is_refused_by_channel() -> None:
    # The zero point -128 folds 128 * 127 a tap into the bias.
    taps = 200_000
    weight = np.ones((2, 1, taps, 1), np.float32)
    weight[0] = 0
    with pytest.raises(QuantizationError) as caught:
        given_integers(Conv2d(Window((1, taps))), (1, 1, taps, 1), weight, (0, 1))
    assert str(caught.value) == (
        "Conv2d 'layer': bias of channel 1 needs 3251200000, more than int32 holds; "
        "split the layer, which sums 200000 products"
    )
