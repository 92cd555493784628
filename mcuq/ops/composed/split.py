"""Split: parts of a tensor along one dimension, each a Slice."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.slice import Slice


def from_split(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """Sizes as an attribute up to opset 12, as an input after that; without them parts are equal, and from opset 18 on
    the last may be smaller."""
    shape = node.shape(0)
    axis = normalized_axis(node.attribute("axis", 0), len(shape), node)
    sizes = node.ints("split", 1)
    if sizes is None:
        count = node.attribute("num_outputs", len(node.outputs))
        part = -(-shape[axis] // count)
        sizes = tuple(max(0, min(part, shape[axis] - k * part)) for k in range(count))
    if len(sizes) < len(node.outputs) or min(sizes) < 0 or sum(sizes) != shape[axis]:
        raise node.error(f"split={list(sizes)} does not divide dimension {axis} of {list(shape)} among its outputs")
    x = node.computed(0)
    parts, begin = [], 0
    for index, (output, size) in enumerate(zip(node.outputs, sizes, strict=False)):
        begins = tuple(begin if a == axis else 0 for a in range(len(shape)))
        part_shape = tuple(size if a == axis else n for a, n in enumerate(shape))
        steps = (1,) * len(shape)
        is_read = node.gives(index)
        parts.append(graph.add(Slice(begins, part_shape, steps), [x], output, node.name) if is_read else "")
        begin += size
    return tuple(parts)
