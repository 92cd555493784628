"""GlobalMaxPool, ReduceMax and ReduceSum: pooling over whole dimensions, and means times their size."""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window


def from_global_max_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions behind the channels."""
    axes = tuple(range(2, len(node.shape(0))))
    return _maxima(node, graph, axes, keeps=True)


def from_reduce_max(node: OnnxNode, graph: GraphBuilder) -> str:
    """A window over all of the dimensions."""
    axes = _axes(node)
    return node.computed(0) if axes is None else _maxima(node, graph, axes, bool(node.attribute("keepdims", 1)))


def from_reduce_sum(node: OnnxNode, graph: GraphBuilder) -> str:
    """The mean times the number of its values."""
    axes, shape = _axes(node), node.shape(0)
    if axes is None:
        return node.computed(0)
    mean = graph.add(Mean(axes), [node.computed(0)], name=node.name)
    count = np.full((1,) * len(shape), prod(shape[axis] for axis in axes), np.float32)
    inputs = [mean, graph.constant(count, f"{node.name}.count")]
    if node.attribute("keepdims", 1):
        return graph.add(Mul(), inputs, node.outputs[0], node.name)
    return graph.add(Reshape(_kept(shape, axes)), [graph.add(Mul(), inputs, name=node.name)], node.outputs[0])


def _maxima(node: OnnxNode, graph: GraphBuilder, axes: tuple[int, ...], keeps: bool) -> str:
    """As an image of height `reduced`, width 1 and the dimensions behind as channels, brought there where several
    dimensions lie between the axes."""
    x, shape = node.computed(0), node.shape(0)
    y_shape = tuple(1 if axis in axes else n for axis, n in enumerate(shape)) if keeps else _kept(shape, axes)
    if axes:
        first, last = min(axes), max(axes)
        if last - first + 1 != len(axes):
            rest = tuple(axis for axis in range(len(shape)) if axis not in axes)
            perm = (*(axis for axis in rest if axis < first), *axes, *(axis for axis in rest if axis > first))
            x = graph.add(Transpose(perm), [x])
            shape, last = tuple(shape[axis] for axis in perm), first + len(axes) - 1
        reduced = prod(shape[first : last + 1])
        image = (prod(shape[:first]), reduced, 1, prod(shape[last + 1 :]))
        x = graph.add(MaxPool(Window((reduced, 1))), [graph.add(Reshape(image), [x])], name=node.name)
    return graph.add(Reshape(y_shape), [x], node.outputs[0])


def _axes(node: OnnxNode) -> tuple[int, ...] | None:
    """Those to reduce, in order; all where none are named, None where that means that nothing is to be done."""
    rank, axes = len(node.shape(0)), node.ints("axes", 1)
    if not axes:
        return None if node.attribute("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({normalized_axis(axis, rank, node) for axis in axes}))


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)
