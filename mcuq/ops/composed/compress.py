"""Compress and ReverseSequence: elements and rows of constant numbers."""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.gather import Gather
from mcuq.ops.integer_arithmetic import integer
from mcuq.ops.picked import picked
from mcuq.ops.reshape import Reshape


def from_compress(node: OnnxNode, graph: GraphBuilder) -> str:
    """A constant condition, along a dimension or of all elements in a row."""
    x, shape = node.computed(0), node.shape(0)
    if not node.is_constant(1):
        raise node.error(
            "its condition is computed, on which the size of its output depends; use Mul or Where, which keep the "
            "shape, or --outputs to end before it"
        )
    condition = np.asarray(node.constant(1, "condition")).astype(bool).reshape(-1)
    axis = node.attribute("axis")
    if axis is None:
        x, shape, axis = graph.add(Reshape((prod(shape),)), [x]), (prod(shape),), 0
    axis = normalized_axis(axis, len(shape), node)
    kept = np.flatnonzero(condition).tolist()
    if kept and kept[-1] >= shape[axis]:
        raise node.error(f"condition keeps element {kept[-1]} of dimension {axis}, which has {shape[axis]}")
    return picked(node, graph, x, axis, kept)


def from_reverse_sequence(node: OnnxNode, graph: GraphBuilder) -> str:
    """Constant lengths, one for each index of the batch."""
    shape = node.shape(0)
    batch, time = node.attribute("batch_axis", 1), node.attribute("time_axis", 0)
    if {batch, time} != {0, 1} or len(shape) < 2:
        raise node.error(f"batch_axis={batch} and time_axis={time} must be 0 and 1 of two dimensions or more")
    lengths = node.constant(1, "sequence_lens").reshape(-1).astype(np.int64)
    if len(lengths) != shape[batch] or (lengths < 0).any() or (lengths > shape[time]).any():
        raise node.error(f"sequence_lens={lengths.tolist()} must be {shape[batch]} numbers up to {shape[time]}")
    t = np.arange(shape[time])[:, None]
    source = np.where(t < lengths, lengths - 1 - t, t)
    rows = source * shape[1] + np.arange(shape[1]) if time == 0 else (source + shape[1] * np.arange(shape[0])).T
    flat = graph.add(Reshape((shape[0] * shape[1], *shape[2:])), [node.computed(0)])
    return graph.add(Gather(0), [flat, integer(graph, rows)], node.outputs[0], node.name)
