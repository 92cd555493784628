"""Not, IsNaN and IsInf: comparisons, and the exclusive or with 1."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.compare import Compare, beyond_largest
from mcuq.ops.integer_arithmetic import IntegerArithmetic, integer


def from_not(node: OnnxNode, graph: GraphBuilder) -> str:
    """1 less the boolean."""
    return negated(graph, node.integers(0), node)


def from_is_nan(node: OnnxNode, graph: GraphBuilder) -> str:
    """Whether it differs from itself; codes never do."""
    x = node.computed(0)
    return negated(graph, graph.add(Compare("=="), [x, x], name=node.name), node)


def from_is_inf(node: OnnxNode, graph: GraphBuilder) -> str:
    """Whether it is beyond the largest float on a side that is asked for; codes never are."""
    x = node.computed(0)
    found = [
        beyond_largest(node, graph, 0, side == "positive", None)
        for side in ("positive", "negative")
        if node.attribute(f"detect_{side}", 1)
    ]
    if len(found) == 2:
        return graph.add(IntegerArithmetic("Or"), found, node.outputs[0], node.name)
    return found[0] if found else graph.add(Compare("<"), [x, x], node.outputs[0], node.name)


def is_not_zero(node: OnnxNode, graph: GraphBuilder, x: str) -> str:
    """What a Cast to boolean gives of a tensor, of integers or of real values."""
    tensor = graph.tensors[x]
    zero = np.zeros((1,) * len(tensor.shape), np.float32)
    constant = integer(graph, zero) if tensor.integers is not None else graph.constant(zero, f"{node.name}.zero")
    return negated(graph, graph.add(Compare("=="), [x, constant], name=node.name), node)


def negated(graph: GraphBuilder, x: str, node: OnnxNode) -> str:
    """The node's output, not of the boolean `x`."""
    one = integer(graph, np.ones((1,) * len(graph.tensors[x].shape)))
    return graph.add(IntegerArithmetic("Xor"), [x, one], node.outputs[0], node.name)
