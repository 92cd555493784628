"""Elements picked along a dimension: slices, joined where the indices are no single row of steps, or by their numbers
where they are many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Integers
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.concat import Concat
from mcuq.ops.gather import Gather
from mcuq.ops.slice import Slice

MOST_RUNS = 64  # each is a copy of its own in the C


def picked(node: OnnxNode, graph: GraphBuilder, x: str, axis: int, indices: Sequence[int]) -> str:
    """The elements of `x` at `indices` along `axis`, in that order."""
    shape = graph.tensors[x].shape
    if list(indices) == list(range(shape[axis])):
        return x
    found = runs(indices)
    if len(found) > MOST_RUNS:
        numbers = graph.constant(np.array(indices, np.float32), f"{node.name}.indices", Integers.of(0, shape[axis] - 1))
        return graph.add(Gather(axis), [x, numbers], name=node.name)
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
