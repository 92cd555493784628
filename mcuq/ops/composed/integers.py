"""Neg, Abs and Clip of integers that stand for themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.integer_arithmetic import IntegerArithmetic, from_arithmetic, integer, kind_of, wrapped


def from_neg(node: OnnxNode, graph: GraphBuilder) -> str:
    """0 less the integer."""
    return wrapped(node, graph, "Sub", [_zero(node, graph), node.integers(0)])


def from_abs(node: OnnxNode, graph: GraphBuilder) -> str:
    """The larger of it and its negative."""
    x = node.integers(0)
    zero = _zero(node, graph)
    negative = graph.add(IntegerArithmetic(kind_of(node, graph, "Sub", [zero, x])), [zero, x], None, node.name)
    return wrapped(node, graph, "Max", [x, negative])


def from_clip_of_integers(node: OnnxNode, graph: GraphBuilder) -> str:
    """min(max(x, min), max)."""
    y = node.integers(0)
    for index, kind in ((1, "Max"), (2, "Min")):
        if node.has(index):
            parts = replace(node, inputs=(y, node.inputs[index]), outputs=(graph.fresh(node.name),))
            y = from_arithmetic(kind)(parts, graph)
    return y


def _zero(node: OnnxNode, graph: GraphBuilder) -> str:
    return integer(graph, np.zeros((1,) * len(node.shape(0))))
