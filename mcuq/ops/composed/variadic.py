"""Sum and Mean of any number of tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.add import Add
from mcuq.ops.binary import from_binary
from mcuq.ops.mul import Mul


def from_sum(node: OnnxNode, graph: GraphBuilder) -> str:
    """One Add after the other."""
    return _added(node, graph, node.outputs[0])


def from_mean(node: OnnxNode, graph: GraphBuilder) -> str:
    """The sum, divided."""
    if len(node.inputs) == 1:
        return node.computed(0)
    total = _added(node, graph, graph.fresh(f"{node.name}.sum"))
    shape = (1,) * len(graph.tensors[total].shape)
    share = graph.constant(np.full(shape, 1 / len(node.inputs), np.float32), f"{node.name}.share")
    return graph.add(Mul(), [total, share], node.outputs[0], node.name)


def _added(node: OnnxNode, graph: GraphBuilder, output: str) -> str:
    # Constants last, so that each Add has something to compute.
    names = sorted(node.inputs, key=lambda name: name in node.constants)
    if names[0] in node.constants:
        raise node.error("all inputs are constant")
    total = names[0]
    add = from_binary(lambda: Add())
    for index, name in enumerate(names[1:], 2):
        y = output if index == len(names) else graph.fresh(node.name)
        total = add(replace(node, inputs=(total, name), outputs=(y,)), graph)
    return total
