"""Chains of functions are one table in integers; in floats each function is a layer."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.unary import Unary
from mcuq.quantize.scheme import Scheme


def split_float_chains(graph: Graph, scheme: Scheme) -> Graph:
    """The graph with a node for each function of the chains that the scheme wants in float32."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Unary) and len(node.op.steps) > 1 and scheme.of(*node.names).writes_floats:
            builder.remove(node)
            (x,) = node.inputs
            *first, last = node.op.steps
            for function in first:
                x = builder.add(
                    function, [x], builder.fresh(f"{node.output}.{type(function).__name__.lower()}"), node.name
                )
            builder.add(last, [x], node.output, node.name)
    return builder.graph()
