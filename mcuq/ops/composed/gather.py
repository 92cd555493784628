"""Gather of constant indices: slices, joined where the indices are no single row of steps."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.concat import Concat
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice

MOST_RUNS = 64  # each is a copy of its own in the C


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


def picked(node: OnnxNode, graph: GraphBuilder, x: str, axis: int, indices: Sequence[int]) -> str:
    """The elements of `x` at `indices` along `axis`, in that order. Raises ModelError for too many runs."""
    shape = graph.tensors[x].shape
    if list(indices) == list(range(shape[axis])):
        return x
    found = runs(indices)
    if len(found) > MOST_RUNS:
        raise node.error(
            f"its {len(indices)} indices are {len(found)} runs of one step; supported are {MOST_RUNS}; put them in an "
            "order with fewer"
        )
    parts = []
    for first, count, step in found:
        begin = tuple(first if a == axis else 0 for a in range(len(shape)))
        sizes = tuple(count if a == axis else n for a, n in enumerate(shape))
        steps = tuple(step if a == axis else 1 for a in range(len(shape)))
        parts.append(graph.add(Slice(begin, sizes, steps), [x], name=node.name))
    return parts[0] if len(parts) == 1 else graph.add(Concat(axis), parts, name=node.name)


def runs(indices: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first, count, step) of the longest rows of one step other than 0, from the left; one of nothing for nothing."""
    if not len(indices):
        return [(0, 0, 1)]
    found, start = [], 0
    while start < len(indices):
        end, step = start + 1, 1
        if end < len(indices) and indices[end] != indices[start]:
            step = indices[end] - indices[start]
            while end < len(indices) and indices[end] - indices[end - 1] == step:
                end += 1
        found.append((indices[start], end - start, step))
        start = end
    return found
