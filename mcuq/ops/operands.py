"""The operands of elementwise operators as they are read: of one rank, and finite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.reshape import Reshape


def operands_of_one_rank(node: OnnxNode, graph: GraphBuilder, indices: Iterable[int]) -> list[str]:
    """The node's inputs of these indices, all of the rank of the longest."""
    indices = list(indices)
    rank = max(len(node.shape(index)) for index in indices)
    inputs = []
    for index in indices:
        shape = (1,) * (rank - len(node.shape(index))) + node.shape(index)
        if node.is_constant(index):
            values = weights(node, index, "operand").reshape(shape)
            inputs.append(graph.constant(values, node.inputs[index], operand_quant(node, index)))
        elif shape != node.shape(index):
            inputs.append(graph.add(Reshape(shape), [node.computed(index)]))
        else:
            inputs.append(node.computed(index))
    return inputs


# What stands for -inf: the neighbour of the least float32, which files write for it as well, but not to the same end
# where a mask leaves nothing.
NEVER = np.nextafter(np.finfo(np.float32).min, np.float32(0))


def with_finite_masks(node: OnnxNode) -> OnnxNode:
    """The node whose constants' -inf, the mask of a Softmax, is NEVER."""
    floats = {n: node.constants[n] for n in node.inputs if n in node.constants and node.constants[n].dtype.kind == "f"}
    finite = {
        n: np.where(np.isneginf(v), NEVER, v).astype(np.float32) for n, v in floats.items() if np.isneginf(v).any()
    }
    return replace(node, constants={**node.constants, **finite}) if finite else node
