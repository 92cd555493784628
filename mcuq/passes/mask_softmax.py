"""A constant added to scores that leaves places out of a Softmax becomes the Softmax's mask."""

from __future__ import annotations

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.softmax import Softmax

# What files write for minus infinity: -1e4 of float16, -1e9, the least float32. No score comes near.
NOTHING = -9999.0
# What nothing but a mask is.
LEAST = -1e30


def mask_softmax(graph: Graph) -> Graph:
    """Softmax(x + c) where c has numbers that leave nothing -> MaskedSoftmax(x + what is left of c, what c keeps).

    Raises ModelError for a row of c that keeps nothing, and for such a c that something else reads.
    """
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if type(node.op) is Softmax:
            _mask(builder, node)
    for node in builder.nodes.values():
        constants = (builder.tensors[name] for name in node.inputs if builder.tensors[name].is_constant)
        least = min((float(t.values.min()) for t in constants if t.dtype == "float32"), default=0.0)
        if isinstance(node.op, Add) and least < LEAST:
            raise ModelError(
                f"Add '{node.name}': adds numbers down to {least:.3g} to what no Softmax alone reads; "
                "such are supported as the mask of a Softmax"
            )
    return builder.graph()


def _mask(builder: GraphBuilder, softmax: Node) -> None:
    add = builder.producer(softmax.inputs[0])
    if add is None or type(add.op) is not Add or add.op != Add() or not builder.is_private(add.output):
        return
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
    if not keep.any(axis=-1).all():
        raise ModelError(f"Softmax '{softmax.name}': its mask leaves out all of a row; keep something in each")
    builder.remove(softmax)
    builder.remove(add)
    finite = np.where(values > NOTHING, values, 0).astype(np.float32)
    if finite.any() or builder.tensors[x].shape != shape:
        x = builder.add(Add(), [x, builder.constant(finite, constants[0])], add.output, add.name)
    mask = builder.constant(_repeating_part(keep).astype(np.float32), f"{constants[0]}.keep")
    builder.add(MaskedSoftmax(), [x, mask], softmax.output, softmax.name)


def _repeating_part(keep: Array) -> Array:
    """The mask without leading dimensions along which it is the same."""
    while keep.ndim > 1 and (keep == keep[:1]).all():
        keep = keep[0]
    return keep
