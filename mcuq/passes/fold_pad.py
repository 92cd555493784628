"""Zero padding in a node of its own becomes padding of the window that reads it."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.pad import Pad
from mcuq.ops.window import Window


def fold_pad(graph: Graph) -> Graph:
    """Pad of height and width -> Conv2d or AveragePool; the Pad vanishes once nobody reads it."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        while _fold(builder, builder.nodes[node.output]):
            pass
    return builder.graph()


def _fold(builder: GraphBuilder, node: Node) -> bool:
    producer = builder.producer(node.inputs[0])
    if producer is None or not isinstance(producer.op, Pad) or not _is_spatial_zero(producer.op):
        return False
    op = _padded(node, producer.op)
    if op is None:
        return False
    builder.remove(node)
    builder.add(op, [producer.inputs[0], *node.inputs[1:]], node.output, node.name)
    return True


def _is_spatial_zero(pad: Pad) -> bool:
    edges = [(*pad.before, *pad.after)[axis] for axis in (0, 3, 4, 7)] if len(pad.before) == 4 else [1]
    return pad.value == 0 and not any(edges)


def _padded(node: Node, pad: Pad) -> Conv2d | AveragePool | None:
    added = (pad.before[1], pad.before[2], pad.after[1], pad.after[2])
    if isinstance(node.op, Conv2d):
        return replace(node.op, window=_widened(node.op.window, added))
    if isinstance(node.op, AveragePool) and not any(node.op.window.pads) and not node.op.window.ceil_mode:
        window = _widened(node.op.window, added)
        # ONNX, which calibration runs, has no pooling window in the padding alone.
        if all(pad < size for pad, size in zip(added, window.kernel * 2, strict=True)):
            return replace(node.op, window=window, count_include_pad=True)
    return None


def _widened(window: Window, added: tuple[int, int, int, int]) -> Window:
    top, left, bottom, right = (old + new for old, new in zip(window.pads, added, strict=True))
    return replace(window, pads=(top, left, bottom, right))
