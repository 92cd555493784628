"""Zero padding in a node of its own becomes padding of the window that reads it."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.pad import Pad


def fold_pad(graph: Graph) -> Graph:
    """Pad of height and width -> what reads it with a window; the Pad vanishes once nobody reads it."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        while _fold(builder, builder.nodes[node.output]):
            pass
    return builder.graph()


def _fold(builder: GraphBuilder, node: Node) -> bool:
    producer = builder.producer(node.inputs[0])
    if producer is None or not isinstance(producer.op, Pad) or not _is_spatial_zero(producer.op):
        return False
    pad = producer.op
    op = node.op.padded((pad.before[1], pad.before[2], pad.after[1], pad.after[2]))
    if op is None:
        return False
    builder.remove(node)
    builder.add(op, [producer.inputs[0], *node.inputs[1:]], node.output, node.name)
    return True


def _is_spatial_zero(pad: Pad) -> bool:
    edges = [(*pad.before, *pad.after)[axis] for axis in (0, 3, 4, 7)] if len(pad.before) == 4 else [1]
    return pad.value == 0 and not any(edges)
