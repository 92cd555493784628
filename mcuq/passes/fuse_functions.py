"""Functions of one value that a file spells as several operators become one: Swish, HardSwish, Mish, Gelu,
Softsign."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np

from mcuq.arithmetic.expression import Expression, X, evaluate, expression, nodes, substituted
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.binary import Binary
from mcuq.ops.div import Div
from mcuq.ops.function import Function
from mcuq.ops.gelu import Gelu
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.mish import Mish
from mcuq.ops.mul import Mul
from mcuq.ops.softsign import Softsign
from mcuq.ops.swish import Swish

# How many operators such a function is spelled as at most: 8 for Gelu by tanh.
_MOST_NODES = 10
# Where functions are compared: near 0, where they bend, and far out, where a Clip may be all that tells them apart; at
# no even distances, lest a Round be overlooked. Constants of files are rounded to float32, so that Gelu's is off by
# 2e-7 of itself.
_FAR = 10.0 ** np.random.default_rng(0).uniform(0.0, 30.0, 512)
_POINTS = np.concatenate([[0.0], np.random.default_rng(1).uniform(-8.0, 8.0, 1024), _FAR, -_FAR])
_CLOSE = 2e-6


def fuse_functions(graph: Graph) -> Graph:
    """x * Sigmoid(x), x * Tanh(Softplus(x)), x * (1 + Erf(x / sqrt(2))) / 2, x / (1 + Abs(x)) and the like ->
    one function of x.

    What operators make of one tensor is compared with the functions by its values, so that their order does not matter.
    An intermediate value whose quantization is given stays.
    """
    builder = GraphBuilder(graph)
    for node in reversed(graph.nodes):
        if node.output in builder.nodes and isinstance(node.op, Mul | Div):
            for x in _sources(builder, node):
                op = _function(builder, node, x)
                if op is not None:
                    builder.add(op, [x], node.output, node.name)
                    break
    return builder.graph()


def _sources(builder: GraphBuilder, node: Node) -> Iterator[str]:
    """The tensors that the node may be a function of, the furthest first, of as many elements as its output."""
    found: dict[str, None] = {}
    pending = list(node.inputs)
    for name in pending:
        producer = builder.producer(name)
        if builder.tensors[name].is_constant or name in found:
            continue
        found[name] = None
        if producer is not None and _is_step(producer) and len(found) < _MOST_NODES:
            pending += producer.inputs
    shape = builder.tensors[node.output].shape
    return (name for name in reversed(found) if builder.tensors[name].shape == shape)


def _is_step(node: Node) -> bool:
    op = node.op
    return isinstance(op, Function) or (isinstance(op, Binary) and op.clip_limits == (-inf, inf))


def _function(builder: GraphBuilder, node: Node, x: str) -> Function | None:
    """What the node is of `x`, if that is one of the functions."""
    made = _expression(builder, node.output, x, [])
    if made is None or not any(n.op in ("call", "where") for n in nodes(made)):
        return None
    with np.errstate(all="ignore"):
        values = evaluate(made, _POINTS)
    slopes = {-1.0, 1.0, *(n.value for n in nodes(made) if n.op == "constant" and 0.1 < abs(n.value) < 10)}
    candidates = (*map(Swish, sorted(slopes, reverse=True)), HardSwish(), Mish(), Gelu(), Gelu("tanh"), Softsign())
    for op in candidates:
        with np.errstate(all="ignore"):
            wanted = op.function(_POINTS)
        if np.all(np.abs(values - wanted) <= _CLOSE * np.maximum(1.0, np.abs(wanted))):
            return op
    return None


def _expression(builder: GraphBuilder, name: str, x: str, seen: list[str]) -> Expression | None:
    """The tensor as an expression of `x`; None where it is made of anything else."""
    if name == x:
        return X
    tensor, producer = builder.tensors[name], builder.producer(name)
    if tensor.is_constant:
        is_number = tensor.elements == 1 and tensor.quant is None
        return expression(float(tensor.values.reshape(()))) if is_number else None
    seen.append(name)
    if producer is None or not _is_step(producer) or tensor.quant is not None or len(seen) > 4 * _MOST_NODES:
        return None
    operands = [_expression(builder, i, x, seen) for i in producer.inputs]
    if None in operands:
        return None
    op = producer.op
    if isinstance(op, Function):
        return substituted(op.expression, _given(operands[0]))
    assert isinstance(op, Binary)
    return op.expression(*map(_given, operands))


def _given(found: Expression | None) -> Expression:
    assert found is not None
    return found
