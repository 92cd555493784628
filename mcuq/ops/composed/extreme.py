"""Max and Min of one computed tensor and constants: limits."""

from __future__ import annotations

from math import inf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.clip import Clip


def from_max(node: OnnxNode, graph: GraphBuilder) -> str:
    """The largest of the constants is a lower limit."""
    return _limited(node, graph, is_max=True)


def from_min(node: OnnxNode, graph: GraphBuilder) -> str:
    """The smallest of the constants is an upper limit."""
    return _limited(node, graph, is_max=False)


def _limited(node: OnnxNode, graph: GraphBuilder, is_max: bool) -> str:
    computed = sorted({name for name in node.inputs if name not in node.constants})
    if len(computed) != 1:
        raise node.error(f"of {len(computed)} computed tensors is not supported; use Clip, where limits are constant")
    limit = -inf if is_max else inf
    x = computed[0]
    for index in range(len(node.inputs)):
        if not node.is_constant(index):
            continue
        values = node.constant(index, "operand").astype(np.float32)
        value = float(values.reshape(-1)[0]) if values.size else 0.0
        if not np.all(values == value) or values.ndim > len(graph.tensors[x].shape):
            raise node.error(f"operand '{node.inputs[index]}' must be one number, the same for all elements")
        limit = max(limit, value) if is_max else min(limit, value)
    if abs(limit) == inf:
        return x
    return graph.add(Clip(minimum=limit) if is_max else Clip(maximum=limit), [x], node.outputs[0], node.name)
