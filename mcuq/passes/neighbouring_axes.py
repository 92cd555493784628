"""Brings the dimensions that a mean or its like reduces next to each other, as kernels need them."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.reduction import Reduction
from mcuq.ops.transpose import Transpose


def neighbouring_axes(graph: Graph) -> Graph:
    """Where a kept dimension lies between reduced ones, move the reduced ones to the end and back."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Reduction):
            continue
        op, shape = node.op, builder.tensors[node.inputs[0]].shape
        try:
            op.span(shape)
        except ValueError:
            kept = [axis for axis in range(len(shape)) if axis not in op.axes]
            perm = (*kept, *op.axes)
            builder.remove(node)
            moved = builder.add(Transpose(perm), [node.inputs[0]])
            y = builder.add(op.over(tuple(range(len(kept), len(shape)))), [moved], name=node.name)
            inverse = tuple(perm.index(axis) for axis in range(len(shape)))
            builder.add(Transpose(inverse), [y], node.output)
    return builder.graph()
