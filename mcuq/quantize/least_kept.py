"""What pruning leaves at least, told from a float graph alone: before ranges are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import is_weighted
from mcuq.quantize.prune import channel_ties, kept_channels
from mcuq.quantize.scheme import Scheme

# Beside the largest of its layer a channel, and beside the largest of its row a weight, is counted on from here. int8
# rounds to zero what is below 1/254; errors that GPTQ carries on and headroom in the ranges take a part of the rest.
_LEAST = 1 / 64


def least_kept(graph: Graph, scheme: Scheme) -> dict[str, Array]:
    """Channels, by tensor, that `prune_graph` leaves in the integer graph of a float one, or a part of them.

    A channel may go where weights or bias could make it constant, a clip included, or where all weights that read it
    could be zero. In fewer than 8 bits any weight could.
    """
    alive = {name: np.ones(t.shape[-1] if t.shape else 1, bool) for name, t in graph.tensors.items()}
    constant = _may_be_constant(graph)
    while True:
        absorbed = partial(_may_be_absorbed, constant=constant, alive=alive, scheme=scheme)
        kept = kept_channels(graph, absorbed, lambda layer: scheme.of(layer.name).writes_floats)
        now = {name: np.isin(np.arange(len(alive[name])), channels) for name, channels in kept.items()}
        if all(np.array_equal(now[name] & alive[name], alive[name]) for name in alive):
            return kept
        # What only channels read that may go, may go too.
        alive = {name: now[name] & alive[name] for name in alive}


def _may_be_constant(graph: Graph) -> dict[str, Array]:
    """bool, one a channel of each tensor."""
    found = {
        t.name: np.full(t.shape[-1] if t.shape else 1, t.is_constant)
        for t in graph.tensors.values()
        if t.is_constant or t.name in graph.inputs
    }
    for layer in graph.layers():
        y = layer.output
        if is_weighted(layer):
            found[y.name] = _may_be_constant_rows(layer)
            continue
        constant = np.ones(y.shape[-1] if y.shape else 1, bool)
        if len(layer.activations) == len(layer.inputs):
            constant[:] = False
            for index, (own, of_output) in channel_ties(layer):
                constant[of_output] |= found[layer.inputs[index].name][own]
            constant |= not dict(channel_ties(layer))
        found[y.name] = constant
    return found


def _may_be_constant_rows(layer: Layer) -> Array:
    """Where the row is small, or the bias lies where the clip ends: only ranges tell what reaches beyond it.

    On the very edge, where biases of 0 lie under ReLU, weights of both signs do.
    """
    weight, bias = (t.values for t in layer.inputs[1:3])
    rows = weight.reshape(len(weight), -1)
    above, below = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    least = _LEAST * (above + below).max(initial=0)
    low, high = layer.op.clip_limits
    on_edge = (bias == low) | (bias == high)
    return np.asarray(
        (above + below <= least) | (bias < low) | (bias > high) | (on_edge & (np.minimum(above, below) <= least))
    )


def _may_be_absorbed(layer: Layer, constant: Mapping[str, Array], alive: Mapping[str, Array], scheme: Scheme) -> Array:
    x, weight = layer.inputs[:2]
    if scheme.of(layer.name).stored.drops_any:
        return np.ones(x.shape[-1], bool)
    rows = np.abs(weight.values.reshape(len(weight.values), -1, x.shape[-1])[alive[layer.output.name]])
    read = (rows > _LEAST * rows.max(axis=(1, 2), keepdims=True)).any(axis=(0, 1))
    return np.asarray(constant[x.name] | ~read)
