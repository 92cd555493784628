"""Attention one head after the other, so that the scores of one lie in memory at a time."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Operator
from mcuq.graph.tensor import Tensor
from mcuq.ops.concat import Concat
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.softmax import Softmax

MOST_HEADS = 64  # each takes calls of its own


def split_heads(graph: Graph) -> Graph:
    """MatMul, what each row of its output goes through alone, MatMul -> the same for each matrix of the batch, and a
    Concat; the graph itself where there is no such thing. Of a quantized graph: tensors of heads have the scales of the
    whole, so that all bytes stay."""
    builder = GraphBuilder(graph)
    is_split = False
    for node in graph.nodes:
        if isinstance(node.op, MatMul) and node.op.part is None:
            chain = _chain(builder, node)
            if chain:
                _split(builder, chain)
                is_split = True
    return builder.graph() if is_split else graph


def _chain(builder: GraphBuilder, last: Node) -> list[Node]:
    """The nodes from a product of matrices to another that weighs by it, first to last; none where they are not
    private, or mix the matrices of a batch."""
    found = [last]
    batch = builder.tensors[last.output].shape[:-2]
    if not 1 < prod(batch) <= MOST_HEADS:
        return []
    while True:
        before = builder.producer(found[0].inputs[0])
        if before is None or not builder.is_private(before.output):
            return []
        if builder.tensors[before.output].shape[:-2] != batch:
            return []
        found.insert(0, before)
        if isinstance(before.op, MatMul):
            return found if before.op.part is None else []
        others = [builder.tensors[name] for name in before.inputs[1:]]
        is_of_rows = before.op.is_elementwise or isinstance(before.op, Softmax | LogSoftmax)
        # A computed mask that all heads share is each one's.
        is_shared = isinstance(before.op, Softmax) and all(prod(t.shape[:-2]) == 1 for t in others)
        if not is_of_rows or not (is_shared or all(t.is_constant for t in others)):
            return []


def _split(builder: GraphBuilder, chain: list[Node]) -> None:
    first, *between, last = chain
    tensors = {node.output: builder.tensors[node.output] for node in chain}
    batch = tensors[last.output].shape[:-2]
    for node in chain:
        builder.remove(node)
    heads = []
    for index in np.ndindex(*batch):
        x = _add(builder, _part_of(first.op, index), list(first.inputs), tensors[first.output], first)
        for node in between:
            constants = [_of_head(builder, builder.tensors[name], index) for name in node.inputs[1:]]
            x = _add(builder, node.op, [x, *constants], tensors[node.output], node)
        heads.append(_add(builder, _part_of(last.op, index), [x, last.inputs[1]], tensors[last.output], last))
    for axis in reversed(range(len(batch))):
        count = batch[axis]
        if count > 1:
            groups = [heads[i : i + count] for i in range(0, len(heads), count)]
            heads = [
                _add(builder, Concat(axis), group, tensors[last.output], last, is_last=len(groups) == 1)
                for group in groups
            ]
    assert heads == [last.output]


def _part_of(op: Operator, index: tuple[int, ...]) -> Operator:
    """The product of one matrix of the batch."""
    assert isinstance(op, MatMul)
    return replace(op, part=index)


def _add(
    builder: GraphBuilder, op: Operator, inputs: list[str], whole: Tensor, node: Node, is_last: bool = False
) -> str:
    """A node of a head; its output has the scale of the whole."""
    output = whole.name if is_last else builder.fresh(node.name)
    builder.add(op, inputs, output, node.name)
    builder.tensors[output] = replace(whole, name=output, shape=builder.tensors[output].shape)
    return output


def _of_head(builder: GraphBuilder, constant: Tensor, index: tuple[int, ...]) -> str:
    """A constant's part for a head, or what all share: itself where it is the same for all."""
    own = constant.shape[:-2][-len(index) :]
    if prod(own) == 1:
        return constant.name
    begin = [min(i, n - 1) for i, n in zip(index[len(index) - len(own) :], own, strict=True)]
    values = constant.values[tuple(slice(i, i + 1) for i in begin)]
    name = builder.fresh(constant.name)
    builder.tensors[name] = replace(constant, name=name, shape=values.shape, data=np.ascontiguousarray(values))
    return name
