"""GlobalMaxPool and ReduceMax: pooling over whole dimensions; ReduceLogSum and ReduceLogSumExp: sums and functions."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Operator
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.add import Add, Sub
from mcuq.ops.exp import Exp
from mcuq.ops.log import Log
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import ReduceSum
from mcuq.ops.reduction import kept_shape, reduced_axes
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window


def from_global_max_pool(node: OnnxNode, graph: GraphBuilder) -> str:
    """All dimensions behind the channels."""
    axes = tuple(range(2, len(node.shape(0))))
    return _maxima(node, graph, axes, keeps=True)


def from_reduce_max(node: OnnxNode, graph: GraphBuilder) -> str:
    """A window over all of the dimensions."""
    axes = reduced_axes(node)
    return _maxima(node, graph, axes, bool(node.attribute("keepdims", 1))) if axes else node.computed(0)


def from_reduce_log_sum(node: OnnxNode, graph: GraphBuilder) -> str:
    """The logarithm of the sum."""
    axes = reduced_axes(node)
    return _finished(node, graph, axes, Log(), [graph.add(ReduceSum(axes), [node.computed(0)])])


def from_reduce_log_sum_exp(node: OnnxNode, graph: GraphBuilder) -> str:
    """largest + ln(sum of exp(x - largest)), in which nothing overflows."""
    x, axes = node.computed(0), reduced_axes(node)
    if not axes:
        return x
    largest = _maxima(replace(node, outputs=(graph.fresh(f"{node.name}.largest"),)), graph, axes, keeps=True)
    powers = graph.add(Exp(), [graph.add(Sub(), [x, largest])])
    logarithm = graph.add(Log(), [graph.add(ReduceSum(axes), [powers])])
    return _finished(node, graph, axes, Add(), [largest, logarithm])


def _finished(node: OnnxNode, graph: GraphBuilder, axes: tuple[int, ...], op: Operator, inputs: list[str]) -> str:
    """`op` of tensors with the reduced dimensions, and without those where keepdims says so."""
    if node.attribute("keepdims", 1) or not axes:
        return graph.add(op, inputs, node.outputs[0], node.name)
    kept = kept_shape(node.shape(0), axes)
    return graph.add(Reshape(kept), [graph.add(op, inputs, name=node.name)], node.outputs[0])


def _maxima(node: OnnxNode, graph: GraphBuilder, axes: tuple[int, ...], keeps: bool) -> str:
    """As an image of height `reduced`, width 1 and the dimensions behind as channels, brought there where several
    dimensions lie between the axes."""
    x, shape = node.computed(0), node.shape(0)
    y_shape = tuple(1 if axis in axes else n for axis, n in enumerate(shape)) if keeps else kept_shape(shape, axes)
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
