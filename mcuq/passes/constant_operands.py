"""Sums, products and their like with a constant scalar or channel vector become Affine, which folds into weights."""

from __future__ import annotations

from math import inf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Shape, Tensor
from mcuq.ops.affine import Affine
from mcuq.ops.binary import Binary
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.moves import is_selection


def constant_operands_to_affine(graph: Graph) -> Graph:
    """x + c, x - c, c - x, x * c and the like, where c varies along one dimension at most."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Binary) and node.op.clip_limits == (-inf, inf):
            _rewrite(builder, node, node.op)
    return builder.graph()


def _rewrite(builder: GraphBuilder, node: Node, op: Binary) -> None:
    tensors = [builder.tensors[name] for name in node.inputs]
    computed = [i for i, t in enumerate(tensors) if not t.is_constant]
    if len(computed) != 1:
        return
    x, constant = tensors[computed[0]], tensors[1 - computed[0]]
    if constant.quant is not None and _is_quantized(builder, x.name):
        # A step of a quantized model on integers of both: no weights that it could go into.
        return
    axis = _scalar_axis(builder, x) if constant.elements == 1 else _axis(x.shape, constant.shape)
    if axis is None:
        return
    values = np.broadcast_to(constant.values.reshape(-1), (x.shape[axis],)).astype(np.float32)
    parameters = op.affine(values, 1 - computed[0])
    if parameters is None:
        return
    scale, bias = parameters
    builder.remove(node)
    inputs = [x.name, builder.constant(scale, f"{node.name}.scale"), builder.constant(bias, f"{node.name}.bias")]
    builder.add(Affine(axis), inputs, node.output, node.name)


def _is_quantized(builder: GraphBuilder, name: str) -> bool:
    """Whether the tensor is FakeQuantize's, in whatever order and shape."""
    node = builder.producer(name)
    while node is not None and is_selection(builder.layer(node)):
        node = builder.producer(node.inputs[0])
    return node is not None and isinstance(node.op, FakeQuantize)


def _axis(x: Shape, constant: Shape) -> int | None:
    """The dimension along which the constant varies; None where Affine cannot say it."""
    varying = [axis for axis, size in enumerate(constant) if size != 1]
    if len(varying) != 1 or any(c not in (1, n) for c, n in zip(constant, x, strict=True)):
        return None
    return varying[0]


def _scalar_axis(builder: GraphBuilder, x: Tensor) -> int | None:
    """A dimension for a scalar, of which any will do: that in which x has the channels of a layer whose output is only
    moved before, for the layer to take the scalar in; else the last."""
    if not x.shape:
        return None
    producer = builder.producer(x.name)
    if producer is not None and producer.op.shares_scale and len(producer.inputs) == 1:
        layer = builder.layer(producer)
        moved = layer.op.moved_axis(layer, len(layer.inputs[0].shape) - 1)
        if moved is not None:
            return moved
    return len(x.shape) - 1
