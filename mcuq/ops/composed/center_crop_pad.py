"""CenterCropPad: the middle of a tensor, or zeros around it, along each dimension."""

from __future__ import annotations

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.pad import Pad
from mcuq.ops.slice import Slice


def from_center_crop_pad(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of an odd rest one more is dropped, or added, at the end."""
    shape, wanted = node.shape(0), node.ints("shape", 1)
    axes = [normalized_axis(axis, len(shape), node) for axis in node.attribute("axes", tuple(range(len(shape))))]
    if wanted is None or len(wanted) != len(axes) or min(wanted, default=1) < 1:
        raise node.error(f"shape={list(wanted or ())} must have a size from 1 for each of axes {axes} of {list(shape)}")
    sizes = dict(zip(axes, wanted, strict=True))
    more = [sizes.get(axis, n) - n for axis, n in enumerate(shape)]
    x = node.computed(0)
    if min(more) < 0:
        begin = tuple(max(0, -m) // 2 for m in more)
        x = graph.add(
            Slice(begin, tuple(min(n, n + m) for n, m in zip(shape, more, strict=True)), (1,) * len(shape)), [x]
        )
    if max(more) > 0:
        before = tuple(max(0, m) // 2 for m in more)
        after = tuple(max(0, m) - b for m, b in zip(more, before, strict=True))
        x = graph.add(Pad(before, after), [x], name=node.name)
    return x
