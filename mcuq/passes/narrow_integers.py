"""Inputs that are nothing but indices take no more bytes than their readers tell apart."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Integers
from mcuq.ops.indices import indexed


def narrow_integers(graph: Graph) -> Graph:
    """Give an input of integers the range that all its readers, behind what only moves it, find things at.

    ONNX Runtime refuses others; saturated to the smaller type they still mean the same.
    """
    builder = GraphBuilder(graph)
    for name in graph.inputs:
        own = graph.tensors[name].integers
        found = indexed(graph, name)
        if own is not None and found.alone and found.widest is not None:
            low, high = found.widest
            builder.give(name, Integers.of(max(own.low, low), min(own.high, high)))
    for node in graph.nodes:
        integers = node.op.integers(builder.layer(node).inputs)
        if integers is not None:
            builder.give(node.output, integers)
    return builder.graph()
