"""Gather of constant indices: elements picked along a dimension."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.gather import from_gather as from_computed_indices
from mcuq.ops.picked import picked
from mcuq.ops.reshape import Reshape


def from_gather(node: OnnxNode, graph: GraphBuilder) -> str:
    """Negative indices count from the back."""
    shape = node.shape(0)
    axis = normalized_axis(node.attribute("axis", 0), len(shape), node)
    indices = node.constant(1, "indices")
    size = shape[axis]
    if indices.dtype.kind not in "iu" or (indices.size and not -size <= indices.min() <= indices.max() < size):
        raise node.error(f"indices are not all integers from {-size} to {size - 1}")
    y = picked(node, graph, node.computed(0), axis, (indices.reshape(-1) % size).tolist())
    return graph.add(Reshape((*shape[:axis], *indices.shape, *shape[axis + 1 :])), [y], node.outputs[0])


def from_gather_of_integers(node: OnnxNode, graph: GraphBuilder) -> str:
    """What is picked or the indices are integers, or both are."""
    return from_gather(node, graph) if node.is_constant(1) else from_computed_indices(node, graph)
