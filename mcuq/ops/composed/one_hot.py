"""OneHot and Hardmax: comparisons with the numbers of places."""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.given import given_integers
from mcuq.onnx_io.reader import OnnxNode, normalized_axis, weights
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.compare import Compare
from mcuq.ops.from_integers import FromIntegers, reach
from mcuq.ops.integer_arithmetic import IntegerArithmetic, integer
from mcuq.ops.reshape import Reshape
from mcuq.ops.where import Where


def from_one_hot(node: OnnxNode, graph: GraphBuilder) -> str:
    """`depth` and both values are constant; indices below 0 count from the back, others are nowhere."""
    depth = int(node.constant(1, "depth").reshape(()))
    if depth < 1:
        raise node.error(f"depth={depth} must be 1 or more")
    off_and_on = node.constant(2, "values")
    shape = node.shape(0)
    axis = normalized_axis(node.attribute("axis", -1), len(shape) + 1, node)
    x = graph.add(Reshape((*shape[:axis], 1, *shape[axis:])), [node.integers(0)])
    is_there = _is_at(graph, x, axis, depth, node.name)
    if reach(graph.tensors[x])[0] < 0:
        is_behind = _is_at(graph, x, axis, depth, node.name, -depth)
        is_there = graph.add(IntegerArithmetic("Or"), [is_there, is_behind], name=node.name)
    ones = (1,) * (len(shape) + 1)
    quant = given_integers(node, 2) if off_and_on.dtype.kind in "iub" else None
    off, on = (graph.constant(value.reshape(ones), node.inputs[2], quant) for value in weights(node, 2, "values"))
    return graph.add(Where(), [is_there, on, off], node.outputs[0], node.name)


def from_hardmax(node: OnnxNode, graph: GraphBuilder) -> str:
    """1 at the first of the largest, else 0; up to opset 12 over all dimensions from `axis` on."""
    shape, x = node.shape(0), node.computed(0)
    axis = normalized_axis(node.attribute("axis", -1 if node.opset >= 13 else 1), len(shape), node)
    flat = shape
    if node.opset < 13:
        flat, axis = (prod(shape[:axis]), prod(shape[axis:])), 1
        x = graph.add(Reshape(flat), [x])
    largest = graph.add(ArgMax((axis,)), [x], name=node.name)
    y = graph.add(FromIntegers(), [_is_at(graph, largest, axis, flat[axis], node.name)], name=node.name)
    return y if flat == shape else graph.add(Reshape(shape), [y], node.outputs[0])


def _is_at(graph: GraphBuilder, x: str, axis: int, count: int, name: str, first: int = 0) -> str:
    """Whether the integers, of size 1 along `axis`, are the numbers from `first` on, along it."""
    rank = len(graph.tensors[x].shape)
    places = (first + np.arange(count)).reshape([-1 if i == axis else 1 for i in range(rank)])
    return graph.add(Compare("=="), [x, integer(graph, places)], name=name)
