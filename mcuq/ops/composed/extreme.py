"""Max and Min of any number of tensors: one of two after the other, and a limit for what is one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Shape
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.binary import from_binary
from mcuq.ops.clip import Clip
from mcuq.ops.extreme import Max, Min
from mcuq.ops.greatest import MOST_TERMS, Greatest, Least


def from_max(node: OnnxNode, graph: GraphBuilder) -> str:
    """The largest of the constants of one number is a lower limit; of computed tensors of one shape up to eight at
    once."""
    return _extreme(node, graph, Max)


def from_min(node: OnnxNode, graph: GraphBuilder) -> str:
    """The smallest of the constants of one number is an upper limit; of computed tensors of one shape up to eight at
    once."""
    return _extreme(node, graph, Min)


def _extreme(node: OnnxNode, graph: GraphBuilder, kind: type[Max]) -> str:
    # Constants behind, so that each has something to compute.
    names = sorted(dict.fromkeys(node.inputs), key=lambda name: name in node.constants)
    if names[0] in node.constants:
        raise node.error("all inputs are constant")
    limit, operands = -inf if kind.is_max else inf, [names[0]]
    shapes = [node.shape(node.inputs.index(name)) for name in names if name not in node.constants]
    for name in names[1:]:
        value = _number(node, name, shapes)
        if value is None:
            operands.append(name)
        else:
            limit = max(limit, value) if kind.is_max else min(limit, value)
    is_limited = abs(limit) != inf
    whole = _whole(node, operands)
    while len(whole) > 2:
        first, whole = whole[:MOST_TERMS], whole[MOST_TERMS:]
        rest = [name for name in operands if name not in first]
        output = None if rest or is_limited else node.outputs[0]
        y = graph.add(Greatest() if kind.is_max else Least(), first, output, node.name)
        operands, whole = [y, *rest], [y, *whole] if whole else []
    y, of_two = operands[0], from_binary(lambda: kind())
    for index, name in enumerate(operands[1:], 2):
        is_last = index == len(operands) and not is_limited
        output = node.outputs[0] if is_last else graph.fresh(node.name)
        y = of_two(replace(node, inputs=(y, name), outputs=(output,)), graph)
    if not is_limited:
        return y
    return graph.add(Clip(minimum=limit) if kind.is_max else Clip(maximum=limit), [y], node.outputs[0], node.name)


def _whole(node: OnnxNode, names: Sequence[str]) -> list[str]:
    """Those that are computed, of the shape that all broadcast to."""
    shapes = {name: node.shape(node.inputs.index(name)) for name in names}
    rank = max(map(len, shapes.values()))
    sizes = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes.values()), strict=True)
    largest = tuple(max(along) for along in sizes)
    return [name for name, shape in shapes.items() if shape == largest and name not in node.constants]


def _number(node: OnnxNode, name: str, shapes: Sequence[Shape]) -> float | None:
    """What a constant is for all elements of the computed operands; None where it is computed, uneven, or makes the
    output larger."""
    if name not in node.constants:
        return None
    values = node.constant(node.inputs.index(name), "operand").astype(np.float32)
    if values.size == 0 or not np.all(values == values.flat[0]):
        return None
    fits = all(
        size == 1 or any(len(shape) >= back and shape[-back] == size for shape in shapes)
        for back, size in enumerate(reversed(values.shape), 1)
    )
    return float(values.flat[0]) if fits and values.ndim <= max(map(len, shapes)) else None
