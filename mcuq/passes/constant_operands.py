"""Add, Sub and Mul with a constant scalar or channel vector become Affine, which folds into weights."""

from __future__ import annotations

from math import inf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array, Shape
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def constant_operands_to_affine(graph: Graph) -> Graph:
    """x + c, x - c, c - x and x * c, where c varies along one dimension at most."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if type(node.op) in (Add, Sub, Mul) and (node.op.minimum, node.op.maximum) == (-inf, inf):  # type: ignore[attr-defined]
            _rewrite(builder, node)
    return builder.graph()


def _rewrite(builder: GraphBuilder, node: Node) -> None:
    tensors = [builder.tensors[name] for name in node.inputs]
    computed = [i for i, t in enumerate(tensors) if not t.is_constant]
    if len(computed) != 1:
        return
    x, constant = tensors[computed[0]], tensors[1 - computed[0]]
    if constant.quant is not None and _is_quantized(builder, x.name):
        # A step of a quantized model on integers of both: no weights that it could go into.
        return
    axis = _axis(x.shape, constant.shape)
    if axis is None:
        return
    values = np.broadcast_to(constant.values.reshape(-1), (x.shape[axis],)).astype(np.float32)
    scale, bias = _scale_and_bias(node, values, constant_first=computed[0] == 1)
    builder.remove(node)
    inputs = [x.name, builder.constant(scale, f"{node.name}.scale"), builder.constant(bias, f"{node.name}.bias")]
    builder.add(Affine(axis), inputs, node.output, node.name)


def _is_quantized(builder: GraphBuilder, name: str) -> bool:
    """Whether the tensor is FakeQuantize's, in whatever order and shape."""
    node = builder.producer(name)
    while node is not None and isinstance(node.op, Transpose | Reshape):
        node = builder.producer(node.inputs[0])
    return node is not None and isinstance(node.op, FakeQuantize)


def _axis(x: Shape, constant: Shape) -> int | None:
    """The dimension along which the constant varies; for a scalar the last. None where Affine cannot say it."""
    varying = [axis for axis, size in enumerate(constant) if size != 1]
    if not x or len(varying) > 1 or any(c not in (1, n) for c, n in zip(constant, x, strict=True)):
        return None
    return varying[0] if varying else len(x) - 1


def _scale_and_bias(node: Node, values: Array, constant_first: bool) -> tuple[Array, Array]:
    if isinstance(node.op, Mul):
        return values, np.zeros_like(values)
    if isinstance(node.op, Sub):
        sign = -1 if constant_first else 1
        return np.full_like(values, sign), -sign * values
    return np.ones_like(values), values
