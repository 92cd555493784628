"""The quantization of inputs and outputs that have it per channel: of the tensors that layers have instead."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import ChannelQuant, Quant
from mcuq.ops.concat import Join

# Each index of the dimension has a scale in the header.
MOST_CHANNELS = 4096


def edge_quants(graph: Graph, quants: Mapping[str, Quant]) -> dict[str, Quant]:
    """By name, for those that have one, where `quants` has the quantization of what layers read and write."""
    found: dict[str, Quant] = {}
    for node in graph.nodes:
        inner = quants.get(node.output) if node.op.is_view else None
        if inner is not None and (edge := node.op.edge_quant(graph.layer(node), inner)) is not None:
            found[node.inputs[0]] = edge
        elif isinstance(node.op, Join):
            found[node.output] = _of_parts(graph, node, [quants[name] for name in node.inputs])
        elif isinstance(before := found.get(node.inputs[0]), ChannelQuant) and node.inputs[0] not in graph.inputs:
            found[node.output] = _moved(graph, node, before, quants[node.output].dtype)
    return found


def _of_parts(graph: Graph, node: Node, parts: list[Quant]) -> ChannelQuant:
    """Of what is joined, along the dimension in which it is."""
    assert isinstance(node.op, Join)
    sizes = [graph.tensors[name].shape[node.op.axis] for name in node.inputs]
    return ChannelQuant(
        tuple(part.step for part, size in zip(parts, sizes, strict=True) for _ in range(size)),
        dtype=parts[0].dtype,
        axis=node.op.axis - len(graph.tensors[node.output].shape),
        zero_points=tuple(part.zero_point for part, size in zip(parts, sizes, strict=True) for _ in range(size)),
    )


def _moved(graph: Graph, node: Node, before: ChannelQuant, dtype: str) -> ChannelQuant:
    """Of the same codes in another shape or order, or 128 higher as uint8."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    axis = node.op.moved_axis(graph.layer(node), len(x.shape) + before.axis)
    assert axis is not None, "only what keeps the dimension is behind a Join"
    added = 128 if dtype == "uint8" and before.dtype == "int8" else 0
    zero_points = tuple(point + added for point in before.zero_points)
    return ChannelQuant(
        before.scale, before.zero_point + added, dtype, axis=axis - len(y.shape), zero_points=zero_points
    )
