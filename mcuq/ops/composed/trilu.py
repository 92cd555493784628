"""Trilu: a choice between the matrix and 0."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.integer_arithmetic import integer
from mcuq.ops.where import Where


def from_trilu(node: OnnxNode, graph: GraphBuilder) -> str:
    """The upper triangle from the k-th diagonal on, or the lower up to it."""
    x, shape = node.computed(0), node.shape(0)
    k = int(node.constant(1, "k").reshape(())) if node.has(1) else 0
    if len(shape) < 2:
        raise node.error(f"input of shape {list(shape)}; it must have two dimensions or more")
    kept = (np.triu if node.attribute("upper", 1) else np.tril)(np.ones(shape[-2:]), k)
    zero = np.zeros((1,) * len(shape), np.float32)
    of_integers = graph.tensors[x].integers is not None
    inputs = [
        integer(graph, kept.reshape((1,) * (len(shape) - 2) + shape[-2:])),
        x,
        integer(graph, zero) if of_integers else graph.constant(zero, f"{node.name}.zero"),
    ]
    return graph.add(Where(), inputs, node.outputs[0], node.name)
