"""The operators of ONNX that normalize: each is Normalize over other dimensions, with a scale and a bias of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.reader import OnnxNode, normalized_axis, weights
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.div import Div
from mcuq.ops.lp_pool import stated_power
from mcuq.ops.mul import Mul
from mcuq.ops.normalize import TINY, Normalize
from mcuq.ops.reduce import ReduceL1
from mcuq.ops.reshape import Reshape

# What MeanVarianceNormalization adds to the deviation, squared; added to the variance, both are nothing beside it.
DEVIATION = 1e-9


def from_layer_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions from `axis` on."""
    if node.gives(1) or node.gives(2):
        raise node.error("its mean or deviation is read; only Y is supported")
    return _from_axis(node, graph, centered=True)


def from_rms_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions from `axis` on, without their mean."""
    return _from_axis(node, graph, centered=False)


def from_instance_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions behind the channels."""
    shape = node.shape(0)
    op = Normalize(tuple(range(2, len(shape))), float(node.attribute("epsilon", 1e-5)))
    return _add(op, node, graph, *(_of_channels(node, graph, i, what, shape) for i, what in ((1, "scale"), (2, "B"))))


def from_group_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """The channels of a group, and all dimensions behind; before opset 21 scale and bias are those of groups."""
    shape, groups = node.shape(0), int(node.attribute("num_groups"))
    if len(shape) < 2 or groups < 1 or shape[1] % groups:
        raise node.error(
            f"num_groups={groups} does not fit an input of shape {list(shape)}; it must divide the channels"
        )
    repeats = 1 if node.opset >= 21 else shape[1] // groups
    axes = tuple(range(1, len(shape)))
    op = Normalize(axes, float(node.attribute("epsilon", 1e-5)), group_axis=1, groups=groups)
    parameters = (_of_channels(node, graph, i, what, shape, repeats) for i, what in ((1, "scale"), (2, "bias")))
    return _add(op, node, graph, *parameters)


def from_mean_variance_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """Over the batch and the image, unless axes are named."""
    axes = _axes(node, node.attribute("axes", (0, 2, 3)))
    return _add(Normalize(axes, DEVIATION**2), node, graph)


def from_lp_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """x / sqrt(sum of x^2): without the mean, times 1 / sqrt(count). With p=1 x / sum of |x|, which is 0 for zeros."""
    power = stated_power(node)
    if power > 2:
        raise node.error(f"p={power} is not supported; use p=1 or p=2", "p")
    shape, axes = node.shape(0), _axes(node, [node.attribute("axis", -1)])
    if power == 1:
        norm = graph.add(Clip(minimum=TINY), [graph.add(ReduceL1(axes), [node.computed(0)])])
        return graph.add(Div(), [node.computed(0), norm], node.outputs[0], node.name)
    scale = np.full((1,) * len(shape), prod(shape[axis] for axis in axes) ** -0.5, np.float32)
    return _add(Normalize(axes, TINY, centered=False), node, graph, scale)


def _from_axis(node: OnnxNode, graph: GraphBuilder, centered: bool) -> str:
    rank = len(node.shape(0))
    axis = normalized_axis(node.attribute("axis", -1), rank, node)
    op = Normalize(tuple(range(axis, rank)), float(node.attribute("epsilon", 1e-5)), centered)
    return _add(op, node, graph, *(_of_elements(node, graph, i, what) for i, what in ((1, "Scale"), (2, "B"))))


def _axes(node: OnnxNode, axes: Sequence[int]) -> tuple[int, ...]:
    rank = len(node.shape(0))
    return tuple(sorted({normalized_axis(axis, rank, node) for axis in axes}))


def _of_elements(node: OnnxNode, graph: GraphBuilder, index: int, what: str) -> Array | str | None:
    """What broadcasts to the input, in as many dimensions: a constant, or the name of what is computed; None where it
    is left out."""
    if not node.has(index):
        return None
    own, shape = node.shape(index), node.shape(0)
    full = (1,) * (len(shape) - len(own)) + own
    if len(full) != len(shape) or any(n not in (1, m) for n, m in zip(full, shape, strict=True)):
        raise node.error(f"{what} of shape {list(own)} does not fit an input of shape {list(shape)}")
    if not node.is_constant(index):
        return graph.add(Reshape(full), [node.computed(index)])
    return weights(node, index, what).reshape(full)


def _of_channels(
    node: OnnxNode, graph: GraphBuilder, index: int, what: str, shape: Shape, repeats: int = 1
) -> Array | str:
    """Of channels, or of parts of `repeats` channels, in as many dimensions as the input has: a constant, or the name
    of what is computed."""
    own = node.shape(index)
    if len(shape) < 2 or own != (shape[1] // repeats,):
        raise node.error(f"{what} of shape {list(own)} does not fit an input of shape {list(shape)}")
    full = (1, shape[1], *(1 for _ in shape[2:]))
    if node.is_constant(index):
        return np.repeat(weights(node, index, what), repeats).reshape(full)
    x = graph.add(Reshape((own[0], 1)), [node.computed(index)])
    if repeats > 1:
        x = graph.add(Concat(1), [x] * repeats)
    return graph.add(Reshape(full), [x])


def _inner(node: OnnxNode, graph: GraphBuilder) -> OnnxNode:
    """The node with an output of its own, before what is done to that."""
    return replace(node, outputs=(graph.fresh(f"{node.name}.normalized"),))


def _output(node: OnnxNode, further: Array | str | None) -> str | None:
    """The node's output's name, None where something comes behind."""
    return node.outputs[0] if further is None else None


def _add(
    op: Normalize,
    node: OnnxNode,
    graph: GraphBuilder,
    scale: Array | str | None = None,
    bias: Array | str | None = None,
) -> str:
    """The node with scale 1 and bias 0 for those that are not given; what is computed of them is a layer behind."""
    if isinstance(scale, str):
        y = graph.add(Mul(), [_add(op, _inner(node, graph), graph), scale], _output(node, bias), node.name)
        if bias is None:
            return y
        added = (
            graph.constant(np.ascontiguousarray(bias), f"{node.name}.bias") if isinstance(bias, np.ndarray) else bias
        )
        return graph.add(Add(), [y, added], node.outputs[0], node.name)
    if isinstance(bias, str):
        return graph.add(Add(), [_add(op, _inner(node, graph), graph, scale), bias], node.outputs[0], node.name)
    if not 0 <= op.epsilon < inf:
        raise node.error(f"epsilon is {op.epsilon:g}; it must be a number of 0 or more")
    one = np.ones((1,) * len(node.shape(0)), np.float32)
    scale, bias = np.broadcast_arrays(one if scale is None else scale, one - 1 if bias is None else bias)
    inputs = [
        node.computed(0),
        graph.constant(np.ascontiguousarray(scale), f"{node.name}.scale"),
        graph.constant(np.ascontiguousarray(bias), f"{node.name}.bias"),
    ]
    return graph.add(op, inputs, node.outputs[0], node.name)
