"""ReLU, ReLU6 and Clip become bounds of the layer before them, where they cost nothing."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Clamped
from mcuq.ops.clip import Clip
from mcuq.ops.max_pool import MaxPool


def fuse_clip(graph: Graph) -> Graph:
    """Fuse each Clip whose input only it reads; on its way up it may pass a MaxPool, which it commutes with."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Clip):
            _fuse(builder, node, node.op)
    return builder.graph()


def _fuse(builder: GraphBuilder, node: Node, clip: Clip) -> None:
    producer = builder.producer(node.inputs[0])
    if producer is None or not builder.is_private(producer.output):
        return
    if isinstance(producer.op, Clamped):
        low, high = (min(max(v, clip.minimum), clip.maximum) for v in (producer.op.minimum, producer.op.maximum))
        builder.remove(node)
        builder.remove(producer)
        fused = replace(producer.op, minimum=low, maximum=high)
        builder.add(fused, list(producer.inputs), node.output, producer.name)
    elif isinstance(producer.op, MaxPool):
        source = builder.producer(producer.inputs[0])
        if source is None or not isinstance(source.op, Clamped | MaxPool) or not builder.is_private(source.output):
            return
        builder.remove(node)
        builder.remove(producer)
        clipped = builder.add(clip, list(producer.inputs), name=node.name)
        builder.add(producer.op, [clipped], node.output, producer.name)
        _fuse(builder, builder.nodes[clipped], clip)
