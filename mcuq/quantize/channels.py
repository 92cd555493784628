"""Which dimension of each tensor is its channels, and how the channels of a layer's inputs are those of its output.

Layers with weights have channels last; Transposes between them and an operator of the model's own layout move the
dimension, so that a Concat of channels may have them anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Shape
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.binary import Binary
from mcuq.ops.concat import Concat
from mcuq.ops.convert import Convert
from mcuq.ops.identity import Identity
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Unary
from mcuq.ops.weighted_operator import is_weighted

# (channels of an input, channels of the output that are made of them), pair by pair.
Tie = tuple[Array, Array]


def channel_axes(graph: Graph) -> dict[str, int]:
    """The dimension of each tensor with dimensions that is its channels: the last, unless Transposes say otherwise."""
    axes: dict[str, int] = {}
    for layer in graph.layers():
        if is_weighted(layer):
            for t in (layer.inputs[0], layer.output):
                axes[t.name] = len(t.shape) - 1
    layers = [layer for layer in graph.layers() if layer.output.shape and not is_weighted(layer)]
    for layer in (*layers, *reversed(layers)):
        y = layer.output
        for x in layer.inputs:
            if isinstance(layer.op, Transpose):
                perm = layer.op.perm
                if x.name in axes:
                    axes.setdefault(y.name, perm.index(axes[x.name]))
                elif y.name in axes:
                    axes[x.name] = perm[axes[y.name]]
            elif len(x.shape) == len(y.shape) and not isinstance(layer.op, Reshape):
                if x.name in axes:
                    axes.setdefault(y.name, axes[x.name])
                elif y.name in axes:
                    axes[x.name] = axes[y.name]
    return {name: axes.get(name, len(t.shape) - 1) for name, t in graph.tensors.items() if t.shape}


def ties(layer: Layer, axes: Mapping[str, int]) -> Iterator[tuple[int, Tie | None]]:
    """Input index -> its channels and those of the output that are made of them, for operators that mix no values of
    different scale; None where all channels of the one meet all of the other.

    Nothing for an operator that computes each of its outputs otherwise.
    """
    op, y = layer.op, layer.output
    if not _passes(op) or not y.shape or not all(t.shape for t in layer.inputs):
        return
    first = 0
    for index, x in enumerate(layer.inputs):
        a, b = axes[x.name], axes[y.name]
        own = np.arange(x.shape[a])
        tie: Tie | None = None
        if isinstance(op, Reshape):
            tie = _reshaped(x.shape, a, y.shape, b)
        elif isinstance(op, Transpose):
            tie = (own, own) if op.perm[b] == a else tie
        elif isinstance(op, Slice) and a == b:
            left = np.arange(op.sizes[b])
            tie = (op.begin[b] + op.steps[b] * left, left)
        elif isinstance(op, Pad) and a == b:
            tie = (own, own + op.before[b])
        elif isinstance(op, Concat) and a == b:
            start = first if op.axis == b else 0
            tie = (own, own + start)
        elif a == b and x.shape[a] == y.shape[b] and not _mixes(op, a, len(x.shape)):
            tie = (own, own)
        first += len(own)
        yield index, tie


def _passes(op: Operator) -> bool:
    return isinstance(
        op,
        AveragePool | Binary | Concat | Convert | Identity | MaxPool | Mean | Pad | Reshape | Slice | Transpose | Unary,
    )


def _mixes(op: Operator, axis: int, rank: int) -> bool:
    """Whether an output is made of several indices of dimension `axis`."""
    if isinstance(op, Mean):
        return axis in op.axes
    return isinstance(op, AveragePool | MaxPool) and axis != rank - 1


def _reshaped(x: Shape, a: int, y: Shape, b: int) -> Tie | None:
    """Channels of a view, where each index of dimension `a` stays an index of dimension `b`, or the last dimension
    is split or joined with those before it."""
    if x[a] == y[b] and prod(x[:a]) == prod(y[:b]):
        return np.arange(x[a]), np.arange(x[a])
    if (a, b) != (len(x) - 1, len(y) - 1):
        return None
    size = max(x[a], y[b])
    if size % x[a] or size % y[b]:
        return None
    return np.arange(size) % x[a], np.arange(size) % y[b]
