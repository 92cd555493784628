"""Clip: between constants an operator of its own, between computed numbers the extremes of two tensors."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.clip import from_constants
from mcuq.ops.composed.extreme import from_max, from_min


def from_clip(node: OnnxNode, graph: GraphBuilder) -> str | tuple[str, ...]:
    """min(max(x, min), max), in this order: where the limits cross, all is the upper one."""
    limits = [index for index in (1, 2) if node.has(index)]
    if all(node.is_constant(index) for index in limits):
        return from_constants(node, graph)
    y = node.computed(0)
    for index in limits:
        if prod(node.shape(index)) != 1:
            what = "min" if index == 1 else "max"
            raise node.error(f"{what} has shape {list(node.shape(index))}; it must be one number")
        extreme = from_max if index == 1 else from_min
        output = node.outputs[0] if index == limits[-1] else graph.fresh(node.name)
        y = extreme(replace(node, inputs=(y, node.inputs[index]), outputs=(output,)), graph)
    return y
