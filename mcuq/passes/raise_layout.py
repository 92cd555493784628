"""Moves a layout change above the Affines before it, so that they scale the last dimension, where weights are theirs.

What the model gives its input (a BatchNormalization, a Sub and a Mul) comes before the first Transpose that importing
adds: nothing above it has a Transpose to sink.
"""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.affine import Affine
from mcuq.ops.moves import Moves


def raise_layout(graph: Graph) -> Graph:
    """transpose(affine(x)) -> affine(transpose(x)) where that brings the Affine's dimension to the end; Reshapes count
    as Transposes, and what works element by element between the two comes along."""
    builder = GraphBuilder(graph)
    above = _above_layout(builder, graph)
    for node in graph.nodes:
        if isinstance(node.op, Affine) and node.output in above and builder.nodes.get(node.output) is node:
            _raise(builder, node)
    return builder.graph()


def _above_layout(builder: GraphBuilder, graph: Graph) -> set[str]:
    """Outputs with a layout change somewhere in the chain behind: the others, in a long chain, need no walk down it."""
    above: set[str] = set()
    for node in reversed(graph.nodes):
        reader = _next(builder, node)
        if reader is not None and (not _stays(reader) or reader.output in above):
            above.add(node.output)
    return above


def _next(builder: GraphBuilder, node: Node) -> Node | None:
    """The only reader of the node's output, if it may be part of a chain."""
    if not builder.is_private(node.output):
        return None
    reader = builder.consumers(node.output)[0]
    return reader if _stays(reader) or _is_layout(reader) else None


def _raise(builder: GraphBuilder, first: Node) -> None:
    """The layout changes behind `first` and what is between go before it and behind them, if that is worth it."""
    chain, best = [first], 0
    while (reader := _next(builder, chain[-1])) is not None:
        chain.append(reader)
        if not _stays(reader) and _is_last(builder, chain):
            best = len(chain)
    if best == 0 or _is_last(builder, chain[:1]):
        return
    chain = chain[:best]
    moved = [(node, _mapped(builder, chain[index:])) for index, node in enumerate(chain) if _stays(node)]
    if any(axis is None for node, axis in moved if isinstance(node.op, Affine)):
        return
    for node in chain:
        builder.remove(node)
    x = first.inputs[0]
    for node in chain:
        if not _stays(node):
            x = builder.add(node.op, [x])
    for node, axis in moved:
        op = Affine(axis) if axis is not None else node.op
        is_last = node is moved[-1][0]
        x = builder.add(op, [x, *node.inputs[1:]], chain[-1].output if is_last else None, node.name)


def _stays(node: Node) -> bool:
    """Whether it leaves each element in its place."""
    return isinstance(node.op, Affine) or (node.op.is_elementwise and len(node.inputs) == 1)


def _is_layout(node: Node) -> bool:
    """Whether it puts all elements in other places."""
    return isinstance(node.op, Moves) and node.op.permutes


def _is_last(builder: GraphBuilder, chain: list[Node]) -> bool:
    """Whether the dimension of the first node, an Affine, is the last one behind the chain."""
    return _mapped(builder, chain) == len(builder.tensors[chain[-1].output].shape) - 1


def _mapped(builder: GraphBuilder, chain: list[Node]) -> int | None:
    """The dimension behind the chain that is the Affine's at its start; None where there is none, or no Affine."""
    axis: int | None = chain[0].op.axis if isinstance(chain[0].op, Affine) else None
    for node in chain[1:]:
        axis = None if axis is None else node.op.moved_axis(builder.layer(node), axis)
    return axis
