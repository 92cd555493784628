"""A constant that leaves places out of a Softmax, added to scores or chosen instead, becomes the Softmax's mask."""

from __future__ import annotations

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.softmax import Softmax
from mcuq.ops.where import Where

# What files write for minus infinity: -1e4 of float16, -1e9, the least float32. No score comes near.
NOTHING = -9999.0
# What nothing but a mask is.
LEAST = -1e30


def mask_softmax(graph: Graph) -> Graph:
    """Softmax(x + c) where c has numbers that leave nothing -> MaskedSoftmax(x + what is left of c, what c keeps);
    Softmax(Where(condition, x, c)) of a constant condition likewise.

    Raises ModelError for a row of which nothing is kept, and for such a c that something else reads.
    """
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if type(node.op) is Softmax:
            _mask(builder, node)
    for node in builder.nodes.values():
        if not isinstance(node.op, Add | Where):
            continue
        constants = (builder.tensors[name] for name in node.inputs if builder.tensors[name].is_constant)
        least = min((float(t.values.min()) for t in constants if t.dtype == "float32"), default=0.0)
        if least < LEAST:
            does = "adds" if isinstance(node.op, Add) else "chooses"
            raise ModelError(
                f"{type(node.op).__name__} '{node.name}': {does} numbers down to {least:.3g} for what no Softmax alone "
                "reads; such are supported as the constant mask of a Softmax"
            )
    return builder.graph()


def _mask(builder: GraphBuilder, softmax: Node) -> None:
    before = builder.producer(softmax.inputs[0])
    if before is None or not builder.is_private(before.output):
        return
    if before.op == Add():
        _mask_added(builder, softmax, before)
    elif isinstance(before.op, Where):
        _mask_chosen(builder, softmax, before)


def _mask_chosen(builder: GraphBuilder, softmax: Node, where: Node) -> None:
    """Of scores and a constant that leaves nothing wherever it is chosen."""
    condition, a, b = (builder.tensors[name] for name in where.inputs)
    shape = builder.tensors[softmax.output].shape
    if not condition.is_constant or a.is_constant == b.is_constant:
        return
    x, c = (b, a) if a.is_constant else (a, b)
    keep = np.broadcast_to((condition.values != 0) == (x is a), shape)
    if x.shape != shape or not (np.broadcast_to(c.values, shape)[~keep] < NOTHING).all():
        return
    _check_rows(softmax, keep)
    builder.remove(softmax)
    builder.remove(where)
    _add_masked(builder, softmax, x.name, keep, c.name)


def _mask_added(builder: GraphBuilder, softmax: Node, add: Node) -> None:
    constants = [name for name in add.inputs if builder.tensors[name].is_constant]
    if len(constants) != 1:
        return
    (x,) = (name for name in add.inputs if name not in constants)
    values = builder.tensors[constants[0]].values
    if not (values < NOTHING).any():
        return
    shape = builder.tensors[softmax.output].shape
    whole = np.broadcast_to(values, shape)
    keep = whole > NOTHING
    _check_rows(softmax, keep)
    builder.remove(softmax)
    builder.remove(add)
    finite = np.where(values > NOTHING, values, 0).astype(np.float32)
    if finite.any() or builder.tensors[x].shape != shape:
        x = builder.add(Add(), [x, builder.constant(finite, constants[0])], add.output, add.name)
    _add_masked(builder, softmax, x, keep, constants[0])


def _check_rows(softmax: Node, keep: Array) -> None:
    if not keep.any(axis=-1).all():
        raise ModelError(f"Softmax '{softmax.name}': its mask leaves out all of a row; keep something in each")


def _add_masked(builder: GraphBuilder, softmax: Node, x: str, keep: Array, name: str) -> None:
    mask = builder.constant(_repeating_part(keep).astype(np.float32), f"{name}.keep")
    builder.add(MaskedSoftmax(), [x, mask], softmax.output, softmax.name)


def _repeating_part(keep: Array) -> Array:
    """The mask without leading dimensions along which it is the same."""
    while keep.ndim > 1 and (keep == keep[:1]).all():
        keep = keep[0]
    return keep
