"""Equal operators on equal inputs are computed once."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator


def merge_duplicates(graph: Graph) -> Graph:
    """Let the readers of each repeated node read the first; an output of the model stays computed."""
    builder = GraphBuilder(graph)
    seen: dict[tuple[Operator, tuple[str, ...]], str] = {}
    for name in [node.output for node in graph.nodes]:
        node = builder.nodes[name]
        first = seen.setdefault((node.op, node.inputs), name)
        if first != name and name not in builder.outputs:
            builder.redirect(name, first)
            builder.remove(node)
    return builder.graph()
