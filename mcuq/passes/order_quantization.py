"""Brings FakeQuantize behind ReLU and before zero padding, where both are free."""

from __future__ import annotations

from math import isinf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Operator
from mcuq.ops.clip import Clip
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.unary import Unary


def order_quantization(graph: Graph) -> Graph:
    """clip(quantize(x)) -> quantize(clip(x)) and quantize(pad(x)) -> pad(quantize(x)), if nobody reads between.

    Both are the same where the bounds, or the padding, are values of the quantization. A Clip then fuses with the layer
    before it, and a Pad with the window behind it. An input of the model keeps its quantization: it has no other.
    """
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        before = builder.producer(node.inputs[0])
        if before is None or not builder.is_private(before.output):
            continue
        if isinstance(node.op, Clip) and isinstance(before.op, FakeQuantize):
            if not _comes_from_input(builder, before.inputs[0]) and all(
                isinf(bound) or is_value(before.op, bound) for bound in (node.op.minimum, node.op.maximum)
            ):
                _swap(builder, before, node, node.op)
        elif isinstance(node.op, FakeQuantize) and _fills_with_values(before.op, node.op):
            _swap(builder, before, node, node.op)
    return builder.graph()


def _comes_from_input(builder: GraphBuilder, name: str) -> bool:
    """Whether values of the tensor are those of an input, at other places."""
    pending, seen = [name], {name}
    while pending:
        name = pending.pop()
        if name in builder.inputs:
            return True
        node = builder.producer(name)
        if node is not None and node.op.shares_scale:
            pending += set(node.inputs) - seen
            seen.update(node.inputs)
    return False


def _fills_with_values(op: Operator, quantize: FakeQuantize) -> bool:
    """Whether it puts values among those that it moves, all of the quantization."""
    return len(op.fills) > 0 and all(is_value(quantize, value) for value in op.fills)


def is_value(op: FakeQuantize, real: float) -> bool:
    """Whether a real number is one that the quantization has."""
    value = float(op.function(np.array([real]))[0])
    return abs(value - real) <= 1e-6 * abs(real)


def _swap(builder: GraphBuilder, first: Node, second: Node, op: Unary) -> None:
    """The second operator, then the first."""
    builder.remove(first)
    builder.remove(second)
    between = builder.add(op, list(first.inputs), name=second.name)
    builder.add(first.op, [between], second.output, first.name)
