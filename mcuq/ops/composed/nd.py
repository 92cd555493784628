"""GatherND and ScatterND: rows of a flat tensor, whose numbers are made of the indices."""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Shape
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.compare import Compare
from mcuq.ops.from_integers import reach
from mcuq.ops.gather import Gather
from mcuq.ops.integer_arithmetic import IntegerArithmetic, integer
from mcuq.ops.reshape import Reshape
from mcuq.ops.scatter_elements import scatter, scattered
from mcuq.ops.slice import Slice
from mcuq.ops.where import Where


def from_gather_nd(node: OnnxNode, graph: GraphBuilder) -> str:
    """The first `batch_dims` dimensions are those of both."""
    shape, indices, batch = node.shape(0), node.shape(1), node.attribute("batch_dims", 0)
    depth = indices[-1]
    if indices[:batch] != shape[:batch] or not 1 <= depth <= len(shape) - batch:
        raise node.error(f"indices of shape {list(indices)} do not fit data of shape {list(shape)}")
    rest = shape[batch + depth :]
    rows = _rows(node, graph, batch)
    flat = (prod(shape[: batch + depth]), *rest)
    if node.is_constant(0):
        x = graph.constant(weights(node, 0, "data").reshape(flat), node.inputs[0], operand_quant(node, 0))
    else:
        x = graph.add(Reshape(flat), [node.computed(0)])
    return graph.add(Gather(0), [x, rows], node.outputs[0], node.name)


def from_scatter_nd(node: OnnxNode, graph: GraphBuilder) -> str:
    """Elements put one by one; with reduction add their sums are added to the data; with mul those that may meet are
    multiplied one after the other."""
    shape, depth = node.shape(0), node.shape(1)[-1]
    inner = prod(shape[depth:])
    data, _, updates = scattered(node, graph)
    rows = _rows(node, graph, 0)
    count = graph.tensors[rows].elements
    if node.is_constant(1):
        places = integer(graph, graph.tensors[rows].values.reshape(count, 1) * inner + np.arange(inner))
    else:
        places = _times(graph, graph.add(Reshape((count, 1)), [rows]), inner, node.name)
        if inner > 1:
            along = integer(graph, np.arange(inner)[None])
            places = graph.add(IntegerArithmetic("Add"), [places, along], name=node.name)
    x, places, values = (
        _in_a_row(graph, name, size)
        for name, size in ((data, prod(shape)), (places, count * inner), (updates, count * inner))
    )
    y = scatter(node, graph, 0, [x, places, values], apart=inner)
    return graph.add(Reshape(shape), [y], node.outputs[0])


def _in_a_row(graph: GraphBuilder, name: str, size: int) -> str:
    """A constant is stored so, as views are of what is computed."""
    tensor = graph.tensors[name]
    if not tensor.is_constant:
        return graph.add(Reshape((size,)), [name])
    return graph.constant(tensor.values.reshape(size), name, tensor.quant)


def _rows(node: OnnxNode, graph: GraphBuilder, batch: int) -> str:
    """The number of the row that each tuple of indices means, of the first dimensions of the data together."""
    shape, indices = node.shape(0), node.shape(1)
    depth = indices[-1]
    sizes = shape[batch : batch + depth]
    strides = [prod(sizes[j + 1 :]) for j in range(depth)]
    if node.is_constant(1):
        values = node.constant(1, "indices")
        wrapped = np.where(values < 0, values + np.array(sizes), values)
        if (wrapped < 0).any() or (wrapped >= np.array(sizes)).any():
            raise node.error(f"indices are beyond data of shape {list(shape)}")
        rows = integer(graph, (wrapped * np.array(strides)).sum(axis=-1))
    else:
        rows = _sum_of_parts(node, graph, sizes, strides)
    if batch:
        starts = np.arange(prod(shape[:batch])) * prod(sizes)
        starts = starts.reshape((*shape[:batch], *(1,) * (len(indices) - 1 - batch)))
        if node.is_constant(1):
            return integer(graph, graph.tensors[rows].values + starts)
        rows = graph.add(IntegerArithmetic("Add"), [rows, integer(graph, starts)], name=node.name)
    return rows


def _sum_of_parts(node: OnnxNode, graph: GraphBuilder, sizes: Shape, strides: list[int]) -> str:
    indices = node.shape(1)
    parts = []
    for j, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        begin = (*(0,) * (len(indices) - 1), j)
        index = graph.add(Slice(begin, (*indices[:-1], 1), (1,) * len(indices)), [node.integers(1)], name=node.name)
        index = _within(graph, graph.add(Reshape(indices[:-1]), [index]), size, node.name)
        parts.append(_times(graph, index, stride, node.name))
    rows = parts[0]
    for part in parts[1:]:
        rows = graph.add(IntegerArithmetic("Add"), [rows, part], name=node.name)
    return rows


def _within(graph: GraphBuilder, index: str, size: int, name: str) -> str:
    """Those below 0 from the back, all from 0 to size - 1."""
    ones = (1,) * len(graph.tensors[index].shape)

    def number(value: int) -> str:
        return integer(graph, np.full(ones, value))

    if reach(graph.tensors[index])[0] < 0:
        behind = graph.add(IntegerArithmetic("Add"), [index, number(size)], name=name)
        is_behind = graph.add(Compare("<"), [index, number(0)], name=name)
        index = graph.add(Where(), [is_behind, behind, index], name=name)
    index = graph.add(IntegerArithmetic("Max"), [index, number(0)], name=name)
    return graph.add(IntegerArithmetic("Min"), [index, number(size - 1)], name=name)


def _times(graph: GraphBuilder, x: str, factor: int, name: str) -> str:
    if factor == 1:
        return x
    constant = integer(graph, np.full((1,) * len(graph.tensors[x].shape), factor))
    return graph.add(IntegerArithmetic("Mul"), [x, constant], name=name)
