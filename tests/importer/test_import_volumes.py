"""Conv, ConvTranspose and pools over three dimensions: every form against ONNX Runtime, and as which layers."""

from __future__ import annotations

from itertools import product

import pytest
from onnx_models import check_import, imported, model, node, random

VOLUME = (2, 4, 6, 5, 7)


def conv(op_type, weight, group=1, shape=VOLUME, **attributes):
    outputs = weight.shape[1] * group if op_type == "ConvTranspose" else weight.shape[0]
    constants = {"w": weight, "b": random(outputs)}
    return model(
        [node(op_type, ["x", "w", "b"], "y", "conv", group=group, **attributes)], {"x": shape}, constants=constants
    )


def pool(op_type, shape=VOLUME, **attributes):
    return model([node(op_type, ["x"], "y", "pool", **attributes)], {"x": shape}, opset=19)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1]},
        {"dilations": [2, 1, 2]},
        {"pads": [2, 1, 1, 2, 1, 1], "strides": [3, 2, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2, 2]},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "VALID", "strides": [1, 2, 3]},
    ],
    ids=str,
)
@pytest.mark.parametrize("group", [1, 2, 4])
def test_conv(group, attributes):
    check_import(conv("Conv", random(4, 4 // group, 3, 2, 2), group, **attributes), samples=1)


ALONE = [(1, 3, 2), (3, 1, 2), (3, 2, 1), (3, 1, 1), (1, 1, 3), (1, 2, 1), (1, 1, 1)]


@pytest.mark.parametrize("kernel", ALONE, ids=str)
def test_a_dimension_that_windows_leave_alone_is_no_copy(kernel):
    graphs = [check_import(conv("Conv", random(4, 2, *kernel), 2), samples=1)]
    graphs += [check_import(pool(kind, kernel_shape=kernel), samples=1) for kind in ("MaxPool", "AveragePool")]
    assert all("Unfold" not in graph.text() for graph in graphs)
    strided = conv("Conv", random(4, 4, *kernel), strides=[2, 1, 2])
    check_import(strided, samples=1)


@pytest.mark.parametrize("kernel", [(3, 2, 4), (1, 2, 3), (2, 2, 2), (3, 1, 1)], ids=str)
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 2, 2]},
        {"strides": [2, 1, 3], "pads": [1, 0, 0, 0, 0, 1]},
        {"strides": [2, 2, 3], "output_padding": [1, 0, 1]},
        {"group": 2, "strides": [1, 2, 2], "dilations": [2, 1, 2]},
    ],
    ids=str,
)
def test_conv_transpose(attributes, kernel):
    check_import(conv("ConvTranspose", random(4, 3, *kernel), shape=(2, 4, 3, 4, 5), **attributes), samples=1)


def windows():
    """All of them; a fifth of them takes half a second."""
    kernels, strides = [(3, 2, 3), (2, 2, 2)], [(1, 1, 1), (2, 2, 3)]
    pads = [[0] * 6, [1] * 6, [1, 0, 1, 0, 1, 1]]
    dilations = [(1, 1, 1), (2, 2, 2), (2, 1, 1), (1, 1, 2)]
    names = ("kernel_shape", "strides", "pads", "dilations", "ceil_mode")
    found = [dict(zip(names, values, strict=True)) for values in product(kernels, strides, pads, dilations, (0, 1))]
    return [pytest.param(w, marks=[pytest.mark.slow] if index % 7 else [], id=str(w)) for index, w in enumerate(found)]


@pytest.mark.parametrize("window", windows())
def test_pools(window):
    shape = (1, 2, 7, 8, 9)
    check_import(pool("MaxPool", shape, **window), samples=1)
    for count_include_pad in (0, 1):
        check_import(pool("AveragePool", shape, count_include_pad=count_include_pad, **window), samples=1)


def test_global_pools():
    for kind in ("GlobalMaxPool", "GlobalAveragePool"):
        check_import(model([node(kind, ["x"], "y")], {"x": VOLUME}))


def test_sums_over_volumes_are_one_layer_which_rounds_once():
    graph = imported(conv("Conv", random(4, 4, 3, 2, 2), pads=[1] * 6))
    assert [kind for kind in kinds(graph) if kind not in MOVED] == ["Conv2d"]
    graph = imported(pool("AveragePool", kernel_shape=[2, 3, 3], pads=[0, 1, 1, 0, 1, 1]))
    assert [kind for kind in kinds(graph) if kind not in MOVED] == ["AveragePool"]


MOVED = ("Pad", "Reshape", "Transpose", "Unfold")


def kinds(graph):
    return [type(layer.op).__name__ for layer in graph.layers()]
