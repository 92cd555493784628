"""Outputs that join parts of different ranges: each keeps its scale."""

from __future__ import annotations

import numpy as np
import pytest
from passes.networks import RELU, Network, run
from selections import quick
from support import check_c, model_of

from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, ChannelQuant
from mcuq.ops.concat import Concat, Join
from mcuq.ops.mul import Mul
from mcuq.ops.rescale import Rescale
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, insert_conversions, quantize_on_samples
from mcuq.validate import check_bits

PIXELS = 416.0
ANCHORS, CLASSES = 9, 3


def head(net: Network) -> tuple[str, str]:
    """Boxes in pixels (1, 9, 4) and scores of 0 to 1 (1, 9, 3), of a small convolutional network."""
    x = net.add(RELU, [net.conv(net.input("x", (1, 3, 6, 6)), 8, stride=2)])
    boxes, scores = net.conv(x, 4, 1, name="boxes"), net.conv(x, CLASSES, 1, name="scores")
    for name, channels in ((boxes, 4), (scores, CLASSES)):
        assert net.shape(name) == (1, channels, 3, 3)
    boxes, scores = (
        net.add(Transpose((0, 2, 1)), [net.add(Reshape((1, n, ANCHORS)), [name])])
        for name, n in ((boxes, 4), (scores, CLASSES))
    )
    boxes = net.batch_norm(net.add(Sigmoid(), [boxes]), 2)
    scale, bias = net.nodes[boxes].inputs[1:]
    for name, value in ((scale, PIXELS), (bias, -8.0)):
        net.tensors[name].values[:] = value
    return boxes, net.add(Sigmoid(), [scores])


def detector(axis: int = 2) -> Graph:
    net = Network()
    boxes, scores = head(net)
    if axis == 1:
        boxes, scores = (net.add(Transpose((0, 2, 1)), [part]) for part in (boxes, scores))
    return net.finish(net.add(Concat(axis), [boxes, scores], "y"))


def images(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 1, 3, 6, 6)).astype(np.float32)


def quantized(graph: Graph, scheme: Scheme = Scheme()) -> Graph:  # noqa: B008
    before = insert_conversions(optimize(graph), scheme)
    return quantize_on_samples(before, [{"x": x} for x in images(60)], scheme=scheme).graph


def sqnr(want: Array, got: Array) -> float:
    return float(10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()))


def parts_db(graph: Graph, integer: Graph, axis: int) -> tuple[float, float]:
    """Of boxes and of scores, against ONNX Runtime."""
    inputs = {"x": images(40, 1)}
    (want,) = run(graph, inputs).values()
    (got,) = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, inputs))).values()
    split = [np.split(values, [4], axis=axis + 1) for values in (want, got)]
    boxes, scores = (sqnr(a, b) for a, b in zip(*split, strict=True))
    return boxes, scores


SCHEMES = [
    Scheme(),
    Scheme(output="uint8"),
    Scheme(output="int16"),
    Scheme(output="float32"),
    Scheme(NAMED["int16"]),
    Scheme(NAMED["int16"], output="int8"),
    Scheme(NAMED["int16"], output="uint8"),
]


@pytest.mark.parametrize("axis", quick([2, 1]))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_boxes_and_scores_keep_their_precision(scheme: Scheme, axis: int) -> None:
    graph = detector(axis)
    integer = quantized(graph, scheme)
    boxes_db, scores_db = parts_db(graph, integer, axis)
    assert boxes_db > 30
    assert scores_db > 30
    x = quantize_inputs(integer, {"x": images(10, 1)})
    report = check_bits(model_of(integer), iter([x]), "host")
    assert report.first_mismatch is None
    assert report.samples == 10
    quant = integer.tensors["y"].quant
    if scheme.output == "float32":
        assert quant is None
    else:
        assert isinstance(quant, ChannelQuant)
        assert (quant.axis, len(quant.scale)) == (axis - 3, 4 + CLASSES)
        assert len(set(quant.scale)) == 2
        assert quant.dtype == (scheme.output or scheme.default.activations)


def test_output_is_the_codes_of_its_parts_on_an_emulated_cpu() -> None:
    check_c(quantized(detector()), "emulator", 3)


def test_scale_that_an_operator_fixes_is_kept_without_another_rounding() -> None:
    net = Network()
    boxes, scores = head(net)
    scores = net.add(Softmax(), [net.nodes[scores].inputs[0]])
    graph = net.finish(net.add(Concat(2), [boxes, scores], "y"))
    integer = quantized(graph)
    assert not any(isinstance(node.op, Rescale) for node in integer.nodes)
    (join,) = (node for node in integer.nodes if isinstance(node.op, Join))
    scale = integer.tensors[join.inputs[1]].quantization
    assert (scale.step, scale.zero_point) == (1 / 256, -128)
    assert min(parts_db(graph, integer, 2)) > 30


def test_output_in_another_shape_and_order_has_scales_along_the_dimension_that_the_parts_had() -> None:
    net = Network()
    y = net.add(Concat(2), list(head(net)))
    y = net.add(Transpose((1, 3, 0, 2)), [net.add(Reshape((1, ANCHORS, 1, 4 + CLASSES)), [y])], "y")
    graph = net.finish(y)
    integer = quantized(graph)
    quant = integer.tensors["y"].quant
    assert isinstance(quant, ChannelQuant)
    assert quant.axis == -3
    assert min(parts_db(graph, integer, 1)) > 30


@pytest.mark.parametrize("flat", [False, True])
def test_heads_that_join_the_same_parts_are_joined_part_by_part(flat: bool) -> None:
    net = Network()
    x = net.input("x", (1, 3, 6, 6))
    heads = []
    for index, size in enumerate((3, 2)):
        features = net.add(RELU, [net.conv(x, 8, stride=2 if size == 3 else 3, name=f"features{index}")])
        raw = net.add(Transpose((0, 2, 3, 1)), [net.conv(features, 4 + CLASSES, 1, name=f"head{index}")])
        raw = net.add(Sigmoid(), [raw])
        boxes = net.add(Slice((0, 0, 0, 0), (1, size, size, 4), (1, 1, 1, 1)), [raw])
        scores = net.add(Slice((0, 0, 0, 4), (1, size, size, CLASSES), (1, 1, 1, 1)), [raw])
        boxes = net.add(Mul(), [boxes, net.constant(np.full((1, 1, 1, 1), PIXELS, np.float32))])
        if flat:
            boxes, scores = (
                net.add(Reshape((1, size * size, n)), [part]) for part, n in ((boxes, 4), (scores, CLASSES))
            )
        joined = net.add(Concat(2 if flat else 3), [boxes, scores])
        heads.append(joined if flat else net.add(Reshape((1, size * size, 4 + CLASSES)), [joined]))
    graph = net.finish(net.add(Concat(1), heads, "y"))
    integer = quantized(graph)
    assert len(set(integer.tensors["y"].quantization.scale)) == 2
    assert min(parts_db(graph, integer, 2)) > 30
    check_c(integer, "host", 4)


def test_rows_of_an_output_may_be_taken_out_behind() -> None:
    net = Network()
    y = net.add(Concat(2), list(head(net)))
    graph = net.finish(net.add(Slice((0, 2, 0), (1, 5, 4 + CLASSES), (1, 1, 1)), [y], "y"))
    integer = quantized(graph)
    assert len(set(integer.tensors["y"].quantization.scale)) == 2
    assert min(parts_db(graph, integer, 2)) > 30
    check_c(integer, "host", 4)


def test_constants_of_a_part_count_for_its_range() -> None:
    """Scores beside a constant of 0.5 have their own scale, and beside one of 400 that of boxes."""
    for value, parts in ((0.5, 2), (400.0, 1)):
        net = Network()
        boxes, scores = head(net)
        beside = net.constant(np.full((1, ANCHORS, 1), value, np.float32))
        integer = quantized(net.finish(net.add(Concat(2), [boxes, net.add(Concat(2), [scores, beside])], "y")))
        assert len(set(integer.tensors["y"].quantization.scale)) == parts


def alike() -> Graph:
    net = Network()
    boxes, scores = head(net)
    for name in net.nodes[boxes].inputs[1:]:
        net.tensors[name].values[:] /= 40
    return net.finish(net.add(Concat(2), [boxes, scores], "y"))


def read_elsewhere() -> Graph:
    net = Network()
    y = net.add(Concat(2), list(head(net)), "y")
    return net.finish(y, net.add(Sigmoid(), [y], "z"))


def reshaped_away() -> Graph:
    net = Network()
    return net.finish(net.add(Reshape((1, ANCHORS * (4 + CLASSES))), [net.add(Concat(2), list(head(net)))], "y"))


@pytest.mark.parametrize("network", [alike, read_elsewhere, reshaped_away])
def test_one_scale_stays_where_parts_are_alike_or_not_told_apart(network: object) -> None:
    assert callable(network)
    integer = quantized(network())
    assert not any(isinstance(node.op, Join) for node in integer.nodes)
    assert len(integer.tensors["y"].quantization.scale) == 1
