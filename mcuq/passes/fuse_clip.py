"""ReLU, ReLU6 and Clip become bounds of the layer before them, where they cost nothing."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Clamped
from mcuq.ops.clip import Clip


def fuse_clip(graph: Graph) -> Graph:
    """Fuse each Clip whose input only it reads; on its way up it may pass what picks or moves values, which it commutes
    with."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Clip):
            _fuse(builder, node, node.op)
    return builder.graph()


def _fuse(builder: GraphBuilder, node: Node, clip: Clip) -> None:
    passed = _passed(builder, node)
    if passed is None:
        return
    *between, clamped = passed
    assert isinstance(clamped.op, Clamped)
    low, high = (min(max(v, clip.minimum), clip.maximum) for v in clamped.op.clip_limits)
    # Each tensor behind has other values now, and the last the name of the clipped one.
    outputs = [node.output]
    for _ in between:
        outputs.append(builder.fresh(node.name))
        builder.reserve([outputs[-1]])
    for old in (node, *passed):
        builder.remove(old)
    builder.add(replace(clamped.op, minimum=low, maximum=high), list(clamped.inputs), outputs[-1], clamped.name)
    for index in range(len(between) - 1, -1, -1):
        builder.add(between[index].op, [outputs[index + 1]], outputs[index], between[index].name)


def _passed(builder: GraphBuilder, node: Node) -> list[Node] | None:
    """The nodes above, which nobody else reads, that commute with a Clip, up to one that takes it for free."""
    found: list[Node] = []
    while (before := builder.producer(node.inputs[0])) is not None and builder.is_private(before.output):
        found.append(before)
        if isinstance(before.op, Clamped):
            return found
        if not before.op.shares_scale or len(before.inputs) > 1 or before.op.fills:
            return None
        node = before
    return None
