"""Sum and Mean of any number of tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.add import Add
from mcuq.ops.binary import from_binary
from mcuq.ops.mul import Mul
from mcuq.ops.total import MOST_TERMS, Total


def from_sum(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of computed tensors of one shape up to four at once; others are added one after the other."""
    return _added(node, graph, 1.0, node.outputs[0])


def from_mean(node: OnnxNode, graph: GraphBuilder) -> str:
    """The sum, divided; of tensors of one shape at once."""
    count = len(node.inputs)
    if count == 1:
        return node.computed(0)
    if count > 2 and len(_alike(node)) == count:
        return _added(node, graph, 1 / count, node.outputs[0])
    total = _added(node, graph, 1.0, graph.fresh(f"{node.name}.sum"))
    shape = (1,) * len(graph.tensors[total].shape)
    share = graph.constant(np.full(shape, 1 / count, np.float32), f"{node.name}.share")
    return graph.add(Mul(), [total, share], node.outputs[0], node.name)


def _added(node: OnnxNode, graph: GraphBuilder, factor: float, output: str) -> str:
    """Of which the last sum is times `factor`; that is of inputs which are all alike."""
    # Constants last, so that each Add has something to compute.
    names = sorted(node.inputs, key=lambda name: name in node.constants)
    if names[0] in node.constants:
        raise node.error("all inputs are constant")
    alike = _alike(node)
    while len(alike) > 2:
        # Two that are left would be an Add of its own.
        count = 3 if len(alike) == 5 else MOST_TERMS
        first, alike = alike[:count], alike[count:]
        for name in first:
            names.remove(name)
        if not names:
            return graph.add(Total(factor), first, output, node.name)
        total = graph.add(Total(), first, None, node.name)
        names, alike = [total, *names], [total, *alike]
    add = from_binary(lambda: Add())
    total = names[0]
    for index, name in enumerate(names[1:], 2):
        y = output if index == len(names) else graph.fresh(node.name)
        total = add(replace(node, inputs=(total, name), outputs=(y,)), graph)
    return total


def _alike(node: OnnxNode) -> list[str]:
    """The inputs that are computed, of the largest shape that all broadcast to, where they are three or more."""
    shapes = [node.shape(index) for index in range(len(node.inputs))]
    rank = max(map(len, shapes))
    sizes = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    whole = tuple(max(along) for along in zip(*sizes, strict=True))
    found = [name for index, name in enumerate(node.inputs) if shapes[index] == whole and not node.is_constant(index)]
    return found if len(found) > 2 else []
