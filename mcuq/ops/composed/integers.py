"""Neg, Abs and Clip of integers that stand for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.composed.logic import integer
from mcuq.ops.integer_arithmetic import IntegerArithmetic, from_arithmetic


def from_neg(node: OnnxNode, graph: GraphBuilder) -> str:
    """0 less the integer."""
    return _negated(node, graph, node.outputs)


def from_abs(node: OnnxNode, graph: GraphBuilder) -> str:
    """The larger of it and its negative."""
    x = node.integers(0)
    negative = _negated(node, graph, [graph.fresh(node.name)])
    return graph.add(IntegerArithmetic("Max"), [x, negative], node.outputs[0], node.name)


def from_clip_of_integers(node: OnnxNode, graph: GraphBuilder) -> str:
    """min(max(x, min), max)."""
    y = node.integers(0)
    for index, kind in ((1, "Max"), (2, "Min")):
        if node.has(index):
            parts = replace(node, inputs=(y, node.inputs[index]), outputs=(graph.fresh(node.name),))
            y = from_arithmetic(kind)(parts, graph)
    return y


def _negated(node: OnnxNode, graph: GraphBuilder, outputs: Sequence[str]) -> str:
    zero = integer(graph, np.zeros((1,) * len(node.shape(0))))
    return graph.add(IntegerArithmetic("Sub"), [zero, node.integers(0)], outputs[0], node.name)
