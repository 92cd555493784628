"""Conv: padding, groups, dilations, 1-D; and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import check_import, imported, model, node, random, refusal

from mcuq.graph.tensor import Array


def conv(shape: tuple[int, ...], weight: Array, bias: Array | None = None, **attributes: object) -> onnx.ModelProto:
    constants = {"w": weight} | ({} if bias is None else {"b": bias})
    return model([node("Conv", ["x", *constants], "y", "conv", **attributes)], {"x": shape}, constants=constants)


@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [3, 2]])
@pytest.mark.parametrize("dilations", [[1, 1], [2, 1], [2, 3]])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "VALID"])
def test_conv_with_strides_and_dilations(auto_pad, dilations, strides):
    check_import(
        conv((1, 2, 11, 10), random(3, 2, 3, 2), auto_pad=auto_pad, strides=strides, dilations=dilations), samples=1
    )


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_same_padding_fits_every_size(auto_pad, kernel, size):
    weight = random(2, 2, kernel, kernel)
    check_import(conv((1, 2, size, size + 1), weight, auto_pad=auto_pad, strides=[2, 3]), samples=1)


@pytest.mark.parametrize(("auto_pad", "pads"), [("SAME_UPPER", [1, 1, 2, 2]), ("SAME_LOWER", [2, 2, 1, 1])])
def test_same_padding_counts_a_dilated_window_whole(auto_pad, pads):
    # ONNX Runtime does not run SAME padding with dilations, so the explicit form is what to compare with.
    x, weight = (1, 2, 7, 7), random(3, 2, 2, 2)
    same = imported(conv(x, weight, auto_pad=auto_pad, dilations=[3, 3]))
    assert same.text() == check_import(conv(x, weight, pads=pads, dilations=[3, 3])).text()


@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [0, 1, 2, 3], [3, 0, 0, 1], [4, 5, 6, 7]])
def test_conv_pads_each_side_by_its_own(pads):
    check_import(conv((1, 2, 5, 6), random(3, 2, 3, 3), random(3), pads=pads, strides=[2, 1]))


@pytest.mark.parametrize(("group", "outputs"), [(1, 4), (2, 4), (3, 6), (6, 6), (6, 12)])
def test_conv_in_groups(group, outputs):
    check_import(conv((1, 6, 5, 5), random(outputs, 6 // group, 3, 3), random(outputs), group=group))


def test_conv_of_a_batch():
    check_import(conv((3, 2, 5, 5), random(4, 2, 3, 3), random(4)))


def test_conv_without_kernel_shape_takes_it_from_the_weight():
    check_import(conv((1, 2, 5, 5), random(4, 2, 2, 3)))
    check_import(conv((1, 2, 5, 5), random(4, 2, 2, 3), kernel_shape=[2, 3]))


def test_conv_with_an_empty_bias_name_has_none():
    proto = model([node("Conv", ["x", "w", ""], "y")], {"x": [1, 2, 4, 4]}, constants={"w": random(3, 2, 3, 3)})
    check_import(proto)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [2, 1]},
        {"strides": [3]},
        {"dilations": [2]},
        {"auto_pad": "SAME_UPPER", "strides": [2]},
        {"auto_pad": "SAME_LOWER", "strides": [2]},
        {"auto_pad": "VALID"},
        {"group": 2, "kernel_shape": [3]},
    ],
)
def test_conv_of_signals(attributes):
    weight = random(4, 4 // attributes.get("group", 1), 3)
    check_import(conv((2, 4, 12), weight, random(4), **attributes))


def test_convolutions_share_a_weight():
    nodes = [node("Conv", ["x", "w", "b"], "a"), node("Conv", ["a", "w", "b"], "y")]
    check_import(model(nodes, {"x": [1, 3, 6, 6]}, constants={"w": random(3, 3, 2, 2), "b": random(3)}))


def test_double_precision_and_half_precision_weights_become_float32():
    dequantized = [node("Cast", ["h"], "w", to=1), node("Cast", ["d"], "b", to=1), node("Conv", ["x", "w", "b"], "y")]
    constants = {"h": random(3, 2, 3, 3).astype(np.float16), "d": random(3).astype(np.float64)}
    check_import(model(dequantized, {"x": [1, 2, 5, 5]}, constants=constants))


@pytest.mark.parametrize(
    ("shape", "weight", "attributes", "message"),
    [
        ((1, 4, 5, 5), (3, 4, 3), {}, "weight of shape [3, 4, 3] does not fit input [1, 4, 5, 5]"),
        (
            (1, 4, 5, 5),
            (3, 3, 3, 3),
            {},
            "group=1 and weight of shape [3, 3, 3, 3] do not fit 4 input channels",
        ),
        (
            (1, 4, 5, 5),
            (3, 2, 3, 3),
            {"group": 2},
            "group=2 and weight of shape [3, 2, 3, 3] do not fit 4 input channels",
        ),
        (
            (1, 4, 5, 5),
            (3, 4, 3, 3),
            {"group": 0},
            "group=0 and weight of shape [3, 4, 3, 3] do not fit 4 input channels",
        ),
        (
            (1, 4, 5, 5),
            (3, 4, 3, 3),
            {"kernel_shape": [3, 2]},
            "kernel_shape=[3, 2] differs from the weight's [3, 3]",
        ),
        (
            (1, 4, 5, 5),
            (3, 4, 3, 3),
            {"strides": [1]},
            "kernel_shape=[3, 3], strides=[1], dilations=[1, 1], pads=[0, 0, 0, 0] do not fit 2 spatial dimensions",
        ),
        (
            (1, 4, 5, 5),
            (3, 4, 3, 3),
            {"pads": [0, 0, -1, 0], "dilations": [0, 1]},
            "kernel_shape=[3, 3], strides=[1, 1], dilations=[0, 1] must be positive and pads=[0, 0, -1, 0] not "
            "negative",
        ),
        (
            (1, 4, 5, 5),
            (3, 4, 3, 3),
            {"auto_pad": "SAME"},
            "auto_pad=SAME is not supported; use NOTSET, SAME_UPPER, SAME_LOWER or VALID",
        ),
        (
            (1, 4, 5, 5, 5, 5),
            (3, 4, 3, 3, 3, 3),
            {},
            "input of shape [1, 4, 5, 5, 5, 5]; supported are 1-D (N, C, L), 2-D (N, C, H, W) and 3-D (N, C, D, H, W)",
        ),
        (
            (1, 4),
            (3, 4),
            {},
            "input of shape [1, 4]; supported are 1-D (N, C, L), 2-D (N, C, H, W) and 3-D (N, C, D, H, W)",
        ),
    ],
)
def test_a_conv_that_does_not_fit_is_refused(shape, weight, attributes, message):
    assert refusal(conv(shape, random(*weight), **attributes)) == f"Conv 'conv': {message}"


def test_a_window_larger_than_its_input_is_refused():
    assert (
        refusal(conv((1, 4, 2, 5), random(3, 4, 4, 3), pads=[1, 0, 0, 0]))
        == "Conv2d 'conv': a window of 4 does not fit an input of 2 with pads 1 and 0"
    )


def test_a_bias_of_another_length_is_refused():
    assert refusal(conv((1, 4, 5, 5), random(3, 4, 3, 3), random(4))) == (
        "Conv2d 'conv': bias [4] does not fit 3 output channels"
    )


def test_computed_weights_are_refused():
    nodes = [node("Relu", ["v"], "w"), node("Conv", ["x", "w"], "y", "conv")]
    assert refusal(model(nodes, {"x": [1, 4, 5, 5], "v": [3, 4, 3, 3]})) == (
        "Conv 'conv': weight must be a constant; export the model with fixed weights and shapes"
    )
