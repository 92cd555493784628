"""Inputs that are nothing but indices take no more bytes than their readers tell apart."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Integers
from mcuq.ops.moves import Moves


def narrow_integers(graph: Graph) -> Graph:
    """Give an input of integers the range that all its readers, behind what only moves it, find things at.

    ONNX Runtime refuses others; saturated to the smaller type they still mean the same.
    """
    builder = GraphBuilder(graph)
    for name in graph.inputs:
        own = graph.tensors[name].integers
        found = _read_range(graph, name) if own is not None else None
        if own is not None and found is not None:
            builder.give(name, Integers.of(max(own.low, found[0]), min(own.high, found[1])))
    for node in graph.nodes:
        integers = node.op.integers(builder.layer(node).inputs)
        if integers is not None:
            builder.give(node.output, integers)
    return builder.graph()


def _read_range(graph: Graph, name: str) -> tuple[int, int] | None:
    """The least and the greatest integer that a reader can use; None where one may use any, or nobody reads it."""
    consumers = graph.consumers()
    ranges, pending = [], [name]
    while pending:
        tensor = pending.pop()
        if tensor in graph.outputs:
            return None
        for node in consumers.get(tensor, ()):
            layer = graph.layer(node)
            for index in (i for i, own in enumerate(node.inputs) if own == tensor):
                found = node.op.indices_of(layer.inputs, index)
                if found is not None:
                    ranges.append(found)
                elif isinstance(node.op, Moves):
                    pending.append(node.output)
                else:
                    return None
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
