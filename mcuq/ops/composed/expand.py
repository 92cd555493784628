"""Expand and Tile: a tensor several times along its dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.concat import Concat
from mcuq.ops.reshape import Reshape

MOST_COPIES = 64  # each is a call in the C


def from_expand(node: OnnxNode, graph: GraphBuilder) -> str:
    """Shapes broadcast both ways: a size of 1 in either is that of the other."""
    shape, wanted = node.shape(0), node.ints("shape", 1) or ()
    rank = max(len(shape), len(wanted))
    own = (1,) * (rank - len(shape)) + shape
    other = (1,) * (rank - len(wanted)) + tuple(wanted)
    if min(other, default=1) < 1:
        raise node.error(f"shape {list(wanted)} has a size below 1; supported are sizes from 1")
    if any(a != b and 1 not in (a, b) for a, b in zip(own, other, strict=True)):
        raise node.error(f"shape {list(wanted)} does not broadcast with {list(shape)}")
    x = graph.add(Reshape(own), [node.computed(0)]) if own != shape else node.computed(0)
    times = [b if a == 1 else 1 for a, b in zip(own, other, strict=True)]
    return repeated(node, graph, x, times)


def from_tile(node: OnnxNode, graph: GraphBuilder) -> str:
    """`repeats` for each dimension."""
    repeats = node.ints("repeats", 1)
    if repeats is None or len(repeats) != len(node.shape(0)) or min(repeats, default=1) < 1:
        raise node.error(f"repeats={list(repeats or ())} must be a number from 1 for each of {list(node.shape(0))}")
    return repeated(node, graph, node.computed(0), repeats)


def repeated(node: OnnxNode, graph: GraphBuilder, x: str, times: Sequence[int]) -> str:
    """`x` so many times along each dimension. Raises ModelError for too many copies."""
    copies = sum(n for n in times if n > 1)
    if copies > MOST_COPIES:
        raise node.error(f"takes {copies} copies; supported are {MOST_COPIES}; let operators broadcast instead")
    for axis in reversed(range(len(times))):
        if times[axis] > 1:
            x = graph.add(Concat(axis), [x] * times[axis], name=node.name)
    return x
