"""MaxPool, AveragePool, GlobalAveragePool and ReduceMean in all their forms; and what is refused."""

from __future__ import annotations

import onnx
import pytest
from onnx_models import check_import, ints, model, node, refusal


def pool(op_type: str, shape: tuple[int, ...], opset: int = 17, **attributes: object) -> onnx.ModelProto:
    return model([node(op_type, ["x"], "y", "pool", **attributes)], {"x": shape}, opset=opset)


WINDOWS = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [1, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 2, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [2, 3], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [4, 3], "strides": [1, 1], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "VALID"},
]
SIGNAL_WINDOWS = [
    {"kernel_shape": [3]},
    {"kernel_shape": [4], "strides": [3], "pads": [2, 1]},
    {"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_UPPER"},
]


@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool_of_images(window):
    check_import(pool("MaxPool", (2, 3, 9, 8), **window))


@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_average_pool_of_images(window, count_include_pad):
    check_import(pool("AveragePool", (2, 3, 9, 8), count_include_pad=count_include_pad, **window))


@pytest.mark.parametrize("window", SIGNAL_WINDOWS)
def test_pools_of_signals(window):
    check_import(pool("MaxPool", (2, 3, 11), **window))
    for count_include_pad in (0, 1):
        check_import(pool("AveragePool", (2, 3, 11), count_include_pad=count_include_pad, **window))


CEILED = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 0, 1, 0]},
    {"kernel_shape": [1, 1], "strides": [3, 3]},
]


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("window", CEILED)
def test_ceil_mode_rounds_the_output_size_up(window, size):
    shape = (1, 2, size, size + 1)
    check_import(pool("MaxPool", shape, ceil_mode=1, **window), samples=1)
    for opset in (10, 19):
        check_import(pool("AveragePool", shape, opset, ceil_mode=1, **window), samples=1)


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize("window", CEILED)
@pytest.mark.parametrize("opset", [10, 19])
def test_ceil_mode_with_counted_padding(opset, window, size):
    proto = pool("AveragePool", (1, 2, size, size + 1), opset, ceil_mode=1, count_include_pad=1, **window)
    check_import(proto, samples=1)


@pytest.mark.parametrize(
    "window", [{}, {"strides": [2, 1]}, {"pads": [1, 0, 0, 1]}, {"ceil_mode": 1, "strides": [3, 3]}]
)
def test_max_pool_with_dilations(window):
    check_import(pool("MaxPool", (1, 2, 9, 8), kernel_shape=[2, 3], dilations=[3, 2], **window))
    check_import(pool("MaxPool", (1, 2, 9), kernel_shape=[2], dilations=[3]))


@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize(
    "window",
    [
        {"dilations": [1, 1]},
        {"dilations": [3, 2]},
        {"dilations": [2, 3], "strides": [2, 2], "pads": [1, 1, 0, 1], "ceil_mode": 1},
    ],
)
def test_average_pool_with_dilations(window, count_include_pad):
    attributes = {"count_include_pad": count_include_pad, **window}
    check_import(pool("AveragePool", (1, 2, 9, 8), 19, kernel_shape=[2, 3], **attributes), samples=1)
    if window["dilations"] == [3, 2]:
        check_import(pool("AveragePool", (1, 2, 9), 19, kernel_shape=[2], dilations=[3]), samples=1)


def test_max_pool_may_have_indices_that_nobody_reads():
    nodes = [node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2]), node("Relu", ["p"], "y")]
    check_import(model(nodes, {"x": [1, 2, 4, 4]}))


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4), (1, 3, 1, 1)])
def test_global_average_pool(shape):
    check_import(pool("GlobalAveragePool", shape))


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [-1], [1], [0, 2], [1, -1], [-2, -1, 1], [3, 2], [0, 1, 2, 3], None])
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_reduce_mean(opset, axes, keepdims):
    constants = {"axes": ints(*axes)} if axes is not None and opset >= 18 else {}
    attributes = {"axes": axes} if axes is not None and opset < 18 else {}
    layer = node("ReduceMean", ["x", *constants], "y", keepdims=keepdims, **attributes)
    check_import(model([layer], {"x": [2, 3, 4, 5]}, constants=constants, opset=opset), samples=1)


@pytest.mark.parametrize("noop", [0, 1])
@pytest.mark.parametrize("given", ["left out", "empty name", "empty list"])
def test_reduce_mean_without_axes_means_all_or_nothing(given, noop):
    inputs = {"left out": ["x"], "empty name": ["x", ""], "empty list": ["x", "axes"]}[given]
    constants = {"axes": ints()} if given == "empty list" else {}
    layers = [node("ReduceMean", inputs, "m", noop_with_empty_axes=noop), node("Relu", ["m"], "y")]
    check_import(model(layers, {"x": [2, 3, 4]}, constants=constants, opset=18))


def test_a_mean_over_nothing_may_be_an_output():
    layer = node("ReduceMean", ["x"], "y", noop_with_empty_axes=1)
    check_import(model([layer], {"x": [2, 3, 4]}, opset=18))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            pool("MaxPool", (1, 2, 4, 4), kernel_shape=[2]),
            "MaxPool 'pool': kernel_shape=(2,) does not fit input of shape [1, 2, 4, 4]",
        ),
        (pool("MaxPool", (1, 2, 4, 4)), "MaxPool 'pool': is invalid: Required attribute 'kernel_shape' is missing."),
        (
            pool("MaxPool", (1, 2, 4, 4), kernel_shape=[2, 2], pads=[0, 2, 0, 0]),
            "MaxPool 'pool': pads=[0, 2, 0, 0] reach beyond the window [2, 2]; use smaller pads",
        ),
        (
            pool("AveragePool", (1, 2, 4), kernel_shape=[2], pads=[0, 3]),
            "AveragePool 'pool': pads=[0, 3] reach beyond the window [2]; use smaller pads",
        ),
        (
            pool("AveragePool", (1, 2, 4, 1), 19, kernel_shape=[2, 2], dilations=[2, 2], pads=[0, 1, 0, 1]),
            "AveragePool 'pool': pads=[1, 1] and dilation=2 leave a window without input of 1",
        ),
        (
            pool("MaxPool", (1, 2, 4, 4, 4, 4), kernel_shape=[2, 2, 2, 2]),
            "MaxPool 'pool': input of shape [1, 2, 4, 4, 4, 4]; supported are 1-D (N, C, L), 2-D (N, C, H, W) and "
            "3-D (N, C, D, H, W)",
        ),
        (
            pool("MaxPool", (1, 2, 2, 4), kernel_shape=[3, 3]),
            "MaxPool 'pool': a window of 3 does not fit an input of 2 with pads 0 and 0",
        ),
        (
            pool("ReduceMean", (1, 2, 4), axes=[3]),
            "ReduceMean 'pool': axis=3 is outside a tensor of 3 dimensions",
        ),
        (
            model(
                [node("MaxPool", ["x"], ["y", "i"], "pool", kernel_shape=[2, 2, 2])],
                {"x": (1, 2, 4, 4, 4)},
                {"y": 1, "i": 7},
            ),
            "MaxPool 'pool': output Indices is not supported over three dimensions; use the values alone",
        ),
        (
            model([node("ReduceMean", ["x", "axes"], "y", "pool")], {"x": (1, 2), "axes": (1,)}, opset=18),
            "ReduceMean 'pool': axes must be a constant; export the model with fixed weights and shapes",
        ),
    ],
)
def test_a_pool_that_cannot_be_computed_is_refused(proto, message):
    assert refusal(proto) == message
