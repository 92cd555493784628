"""Chains of functions are one table in integers; in floats each is a layer, and rounding to 16 bits is none."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.clip import Clip
from mcuq.ops.unary import Unary
from mcuq.quantize.scheme import Scheme


def split_float_chains(graph: Graph, scheme: Scheme) -> Graph:
    """The graph with a node for each function of the chains that the scheme wants in float32, and with limits alone of
    what rounds to 16 bits there."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Unary) or not scheme.of(*node.names).writes_floats:
            continue
        if node.op.limits is not None and "float32" not in node.op.dtypes:
            builder.remove(node)
            builder.add(Clip(*node.op.limits), list(node.inputs), node.output, node.name)
        elif len(node.op.steps) > 1:
            builder.remove(node)
            (x,) = node.inputs
            *first, last = node.op.steps
            for function in first:
                x = builder.add(
                    function, [x], builder.fresh(f"{node.output}.{type(function).__name__.lower()}"), node.name
                )
            builder.add(last, [x], node.output, node.name)
    return builder.graph()
