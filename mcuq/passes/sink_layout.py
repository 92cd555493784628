"""Moves Transpose and Reshape down the graph until they meet, cancel, or reach weights that absorb them.

Importing wraps every operator over images in two Transposes. Sinking them through what works element by
element leaves at most one at the model's edges, where the caller's layout differs from NHWC.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Shape
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def sink_layout(graph: Graph) -> Graph:
    """Apply the rules below until none applies. Raises RuntimeError where they undo each other's work for ever."""
    builder = GraphBuilder(graph)
    rounds, most = 0, 2 * len(graph.nodes) + 8
    changed = True
    while changed:
        rounds += 1
        if rounds > most:
            raise RuntimeError(f"pass sink_layout: graph '{graph.name}' still changes after {most} rounds")
        changed = False
        for name in [node.output for node in builder.graph().nodes]:
            node = builder.nodes.get(name)
            if node is not None and any(rule(builder, node) for rule in RULES):
                changed = True
        builder = GraphBuilder(builder.graph())
    return builder.graph()


def inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The order that undoes `perm`."""
    return tuple(perm.index(axis) for axis in range(len(perm)))


def keeps_order(perm: tuple[int, ...], shape: Shape) -> bool:
    """Whether the Transpose moves dimensions of size 1 only, so that it is a Reshape."""
    moved = [axis for axis in perm if shape[axis] != 1]
    return moved == sorted(moved)


def _simplify(builder: GraphBuilder, node: Node) -> bool:
    """A Transpose or Reshape behind its like is one; one that changes nothing vanishes."""
    op, source = node.op, node.inputs[0]
    before = builder.producer(source)
    shape = builder.tensors[source].shape
    if isinstance(op, Transpose) and keeps_order(op.perm, shape):
        _replace(builder, node, Reshape(op.infer([builder.tensors[source]])), source)
        return True
    if isinstance(op, Transpose) and before and isinstance(before.op, Transpose):
        perm = tuple(before.op.perm[axis] for axis in op.perm)
        _replace(builder, node, Transpose(perm), before.inputs[0])
        return True
    if isinstance(op, Reshape) and before and isinstance(before.op, Reshape):
        _replace(builder, node, op, before.inputs[0])
        return True
    if isinstance(op, Reshape) and op.shape == shape:
        return _bypass(builder, node)
    return False


def _bypass(builder: GraphBuilder, node: Node) -> bool:
    """Take out a node that changes nothing; a name that the model gives out moves to its producer."""
    source = node.inputs[0]
    if node.output not in builder.outputs:
        builder.redirect(node.output, source)
        builder.remove(node)
        return True
    if source in builder.nodes and source not in builder.outputs:
        builder.remove(node)
        builder.rename(source, node.output)
        return True
    return False


def _replace(builder: GraphBuilder, node: Node, op: Transpose | Reshape, source: str) -> None:
    builder.remove(node)
    builder.add(op, [source], node.output, node.name)


def _sink_transpose(builder: GraphBuilder, node: Node) -> bool:
    """op(transpose(a), ...) -> transpose(op'(a, ...)), where all inputs can be had in the other order."""
    perms = {
        p.op.perm
        for p in map(builder.producer, node.inputs)
        if p is not None and isinstance(p.op, Transpose) and p.output not in builder.outputs
    }
    if len(perms) != 1:
        return False
    perm = perms.pop()
    op = node.op.reordered(perm)
    sources = [_untransposed(builder, name, perm) for name in node.inputs]
    if op is None or any(source is None for source in sources):
        return False
    # What another Transpose gives already is as good as free, but so it is the other way round: each turn must gain
    # inputs without one, or, where it gains none, go the one way.
    reused = sum(_is_reused(builder, name, perm) for name in node.inputs)
    turned = sum(_is_turned(builder, name, perm) for name in node.inputs)
    if reused > turned or (reused == turned and perm <= inverse(perm)):
        return False
    inputs = [source() for source in sources if source is not None]
    builder.remove(node)
    y = builder.add(op, inputs, name=node.name)
    builder.add(Transpose(perm), [y], node.output)
    return True


def _untransposed(builder: GraphBuilder, name: str, perm: tuple[int, ...]) -> Callable[[], str] | None:
    """How to get the tensor in the order before `perm` at no cost; None where it would cost a copy."""
    tensor, producer, back = builder.tensors[name], builder.producer(name), inverse(perm)
    if tensor.is_constant and len(tensor.shape) != len(perm):
        return lambda: name  # one value for each index of a dimension, or the like
    if tensor.is_constant:
        return lambda: builder.constant(tensor.values.transpose(back), name, tensor.quant)
    if producer is not None and _is_turned(builder, name, perm):
        return lambda: producer.inputs[0]
    if keeps_order(back, tensor.shape):
        return lambda: builder.add(Transpose(back), [name])
    reader = _reader(builder, name, Transpose(back))
    return None if reader is None else lambda: reader.output


def _is_turned(builder: GraphBuilder, name: str, perm: tuple[int, ...]) -> bool:
    """Whether the tensor is that Transpose's."""
    producer = builder.producer(name)
    return producer is not None and producer.op == Transpose(perm)


def _is_reused(builder: GraphBuilder, name: str, perm: tuple[int, ...]) -> bool:
    """Whether the tensor in the order before `perm` is what another reader of it gives."""
    tensor, back = builder.tensors[name], inverse(perm)
    if tensor.is_constant or _is_turned(builder, name, perm) or keeps_order(back, tensor.shape):
        return False
    return _reader(builder, name, Transpose(back)) is not None


def _reader(builder: GraphBuilder, name: str, op: Transpose) -> Node | None:
    return next((reader for reader in builder.consumers(name) if reader.op == op), None)


def _sink_reshape(builder: GraphBuilder, node: Node) -> bool:
    """op(reshape(a)) -> reshape(op(a)) for what works element by element."""
    shapes, sources = set(), []
    for name in node.inputs:
        producer = builder.producer(name)
        if producer is not None and isinstance(producer.op, Reshape) and producer.output not in builder.outputs:
            shapes.add(builder.tensors[producer.inputs[0]].shape)
            sources.append(producer.inputs[0])
        elif builder.tensors[name].is_constant:
            sources.append(name)
        else:
            return False
    if len(shapes) != 1:
        return False
    source, shape = shapes.pop(), builder.tensors[node.output].shape
    op = node.op.reshaped(shape, source)
    if op is None:
        return False
    if op.is_elementwise and any(t.is_constant or t.shape != shape for t in builder.layer(node).inputs):
        return False
    builder.remove(node)
    y = builder.add(op, sources, name=node.name)
    builder.add(Reshape(shape), [y], node.output)
    return True


def _absorb_in_weights(builder: GraphBuilder, node: Node) -> bool:
    """fully_connected(reshape(transpose(x))) -> fully_connected(reshape(x)) with its columns in x's order."""
    flatten = builder.producer(node.inputs[0])
    if not isinstance(node.op, FullyConnected) or flatten is None or not isinstance(flatten.op, Reshape):
        return False
    transpose = builder.producer(flatten.inputs[0])
    if transpose is None or not isinstance(transpose.op, Transpose):
        return False
    perm, moved = transpose.op.perm, builder.tensors[transpose.output].shape
    rows, columns = flatten.op.shape
    if perm[0] != 0 or moved[0] != rows:
        return False
    # The old column for each new one.
    order = np.arange(columns).reshape(1, *moved[1:]).transpose(inverse(perm)).reshape(-1)
    x = builder.add(Reshape((rows, columns)), [transpose.inputs[0]])
    weight = builder.tensors[node.inputs[1]]
    inputs = [x, builder.constant(weight.values[:, order], weight.name, weight.quant), node.inputs[2]]
    builder.remove(node)
    builder.add(node.op, inputs, node.output, node.name)
    return True


RULES = (_simplify, _sink_transpose, _sink_reshape, _absorb_in_weights)
