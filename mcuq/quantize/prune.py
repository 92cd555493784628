"""Takes channels out of an integer graph that no output depends on: constant ones, and ones that nobody reads.

It runs on integers, behind scales and biases, so that the pruned graph gives the same bytes as the unpruned one:
what a constant channel adds to the accumulators behind it goes into their biases. Weights too small to matter
(weight decay leaves 1e-30 to 1e-16) are zero here, as no weight scale lies further than 2^-18 below the largest of
its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ldexp

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.arithmetic.packing import stored_bytes
from mcuq.graph.ir import Graph, verify
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.ops.weighted import layer_requantization
from mcuq.ops.weighted_operator import Weighted, is_weighted, weight_groups
from mcuq.quantize.apply import with_constants
from mcuq.quantize.channels import ties
from mcuq.quantize.intervals import Interval, intervals


@dataclass(frozen=True)
class Pruned:
    """What was taken out: channels of computed tensors, multiply-accumulates of an inference, bytes of weights and
    biases."""

    channels: int = 0
    macs: int = 0
    parameter_bytes: int = 0


UNPRUNED = Pruned()

_NO_SCALE = 2.0**-126  # whose multiplier is 0, next to any that a layer needs


def prune_graph(graph: Graph) -> tuple[Graph, Pruned]:
    """The integer graph without channels that are constant or unread, and what that saves.

    For all inputs it gives the same outputs, bit for bit. A channel is an index of a tensor's last dimension. A
    constant channel stays where a window pads it with another value than its own, and where its size is part of
    an operator's meaning (softmax, mean over channels, grouped convolution, layers with floats). One channel of each
    tensor stays.
    """
    pruned, smaller = graph, _prune_once(graph)
    # What only pruned channels read is found in the next round.
    while _channels(smaller) < _channels(pruned):
        pruned, smaller = smaller, _prune_once(smaller)
    return pruned, Pruned(
        _channels(graph) - _channels(pruned),
        graph.macs() - pruned.macs(),
        _parameter_bytes(graph) - _parameter_bytes(pruned),
    )


def _channels(graph: Graph) -> int:
    return sum(t.shape[-1] for t in graph.tensors.values() if not t.is_constant and t.shape)


def _parameter_bytes(graph: Graph) -> int:
    return sum(stored_bytes(t) for t in graph.tensors.values() if t.is_constant)


def _prune_once(graph: Graph) -> Graph:
    found = intervals(graph)
    kept = kept_channels(
        graph,
        lambda layer: _absorbed(layer, *found[layer.inputs[0].name]),
        lambda layer: not layer.is_integer,
    )
    tensors: dict[str, Tensor] = {
        t.name: replace(t, shape=_shape(t, kept)) for t in graph.tensors.values() if not t.is_constant
    }
    nodes = []
    for node in graph.nodes:
        layer = graph.layer(node)
        inputs = _smaller_inputs(layer, kept, found)
        node = replace(node, op=node.op.resized(layer, tensors[node.output].shape) or node.op)
        nodes.append(with_constants(node, inputs, tensors))
    return verify(replace(graph, nodes=tuple(nodes), tensors=tensors))


def _shape(tensor: Tensor, kept: Mapping[str, Array]) -> Shape:
    return (*tensor.shape[:-1], len(kept[tensor.name])) if tensor.shape else ()


class _Classes:
    """Channels that stay or go together: union-find over (tensor, channel)."""

    def __init__(self, graph: Graph) -> None:
        self._first: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        total = 0
        for t in graph.tensors.values():
            self._first[t.name], self._sizes[t.name] = total, t.shape[-1] if t.shape else 1
            total += self._sizes[t.name]
        self._parent = list(range(total))
        self._needed = np.zeros(total, bool)

    def join(self, a: str, a_channels: Array, b: str, b_channels: Array) -> None:
        """Tie channels of one tensor to those of another, pair by pair."""
        pairs = zip((self._first[a] + a_channels).tolist(), (self._first[b] + b_channels).tolist(), strict=True)
        for i, j in pairs:
            root = self._root(i)
            self._needed[self._root(j)] |= self._needed[root]
            self._parent[root] = self._root(j)

    def need(self, name: str, channels: Array | None = None) -> None:
        """Keep channels of a tensor, all if none are given."""
        for channel in np.arange(self._sizes[name]) if channels is None else channels:
            self._needed[self._root(self._first[name] + int(channel))] = True

    def kept(self, name: str) -> Array:
        """Channels of the tensor that stay, in order."""
        first = self._first[name]
        return np.array([c for c in range(self._sizes[name]) if self._needed[self._root(first + c)]], int)

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i


def kept_channels(
    graph: Graph, absorbed: Callable[[Layer], Array], is_whole: Callable[[Layer], bool]
) -> dict[str, Array]:
    """Channels that stay, by tensor.

    `absorbed` says, one bool an input channel, what the bias of a dense layer can stand for; `is_whole` whether a
    weighted layer needs all its channels.
    """
    classes = _Classes(graph)
    for name in (*graph.inputs, *graph.outputs):
        classes.need(name)
    for layer in graph.layers():
        if is_weighted(layer) and is_whole(layer):
            # Infinity times 0 is no 0, and the range that a layer finds on the device is that of all channels.
            classes.need(layer.inputs[0].name)
            classes.need(layer.output.name)
            continue
        if _is_dense(layer):
            x = layer.inputs[0]
            classes.need(x.name, np.flatnonzero(~absorbed(layer)))
            continue
        ties = dict(channel_ties(layer))
        for index, t in enumerate(layer.inputs):
            if index in ties:
                classes.join(t.name, ties[index][0], layer.output.name, ties[index][1])
            elif not is_weighted(layer) or index == 0:
                classes.need(t.name)
        if not ties:
            classes.need(layer.output.name)
    for name in graph.tensors:
        if not len(classes.kept(name)):
            classes.need(name, np.array([0]))
    return {name: classes.kept(name) for name in graph.tensors}


def _is_dense(layer: Layer) -> bool:
    """Whether every output channel reads all input channels, through weights."""
    return is_weighted(layer) and weight_groups(layer) == 1


def _absorbed(layer: Layer, low: Array, high: Array) -> Array:
    """bool, one an input channel: what it adds to an accumulator is the same everywhere, so that the bias can."""
    x, weight, bias = layer.inputs
    values = low.reshape(-1, x.shape[-1])
    constant = (low == high).reshape(values.shape).all(axis=0) & (values == values[0]).all(axis=0)
    if isinstance(layer.op, Weighted) and layer.op.is_padded:
        constant &= values[0] == x.zero_point
    w = weight.values.reshape(len(weight.values), -1, x.shape[-1]).sum(axis=1, dtype=np.int64)
    moved = np.abs(bias.values.astype(np.int64)) + np.abs(w * values[0]) @ constant
    if moved.max() > INT32_MAX:  # sums of int16 may have 64 bits, biases have not
        constant = np.zeros_like(constant)
    unread = ~weight.values.reshape(-1, x.shape[-1]).any(axis=0)
    return np.asarray(constant | unread)


def channel_ties(layer: Layer) -> Iterator[tuple[int, tuple[Array, Array]]]:
    """Input index -> (its channels, the output's channels) that stay or go together, pair by pair.

    Nothing for an operator that needs all channels; an input that is left out is needed whole.
    """
    op, y = layer.op, layer.output
    if not y.shape or not all(t.shape for t in layer.inputs):
        return
    x = layer.inputs[0]
    if isinstance(op, Weighted):
        if op.is_depthwise(layer):
            outputs = np.arange(y.shape[-1])
            yield 0, (outputs // (len(outputs) // x.shape[-1]), outputs)
    elif op.resized(layer, y.shape) is not None:
        last = {t.name: len(t.shape) - 1 for t in (*layer.inputs, y)}
        for index, tie in ties(layer, last):
            if tie is not None:
                yield index, tie


def _smaller_inputs(layer: Layer, kept: Mapping[str, Array], found: Mapping[str, Interval]) -> tuple[Tensor, ...]:
    """The layer's inputs, constants without the channels that go."""
    if is_weighted(layer) and not layer.is_integer:
        return layer.inputs
    if not is_weighted(layer):
        return tuple(
            replace(t, shape=_shape(t, kept), data=t.values[..., kept[t.name]]) if t.is_constant and t.shape else t
            for t in layer.inputs
        )
    x, weight, bias = layer.inputs
    outputs = kept[layer.output.name]
    data, offset = weight.values, bias.values
    if _is_dense(layer):
        gone = np.setdiff1d(np.arange(x.shape[-1]), kept[x.name])
        # A channel without weights need not be constant; 0 times any of its values is 0.
        values = found[x.name][0].reshape(-1, x.shape[-1])[0, gone].astype(np.int64)
        per_channel = data.reshape(len(data), -1, x.shape[-1])[..., gone].sum(axis=1, dtype=np.int64)
        # Fits: `_absorbed` has seen to it.
        offset = (offset + per_channel @ values).astype(np.int32)
        data = data[..., kept[x.name]]
    data, offset = data[outputs], offset[outputs]
    scale = np.array(weight.quantization.scale)[outputs]
    if len(outputs) < len(weight.values):
        scale, dead = _restated_scale(layer, scale, outputs)
        if weight.packing is None:
            data, offset = data.copy(), offset.copy()
            data[dead], offset[dead] = 0, 0
        else:  # which may have no code for 0
            scale = np.where(dead, _NO_SCALE, scale)
    return (
        x,
        replace(weight, shape=data.shape, data=np.ascontiguousarray(data), quant=Quant(tuple(scale.tolist()))),
        replace(bias, shape=offset.shape, data=offset, quant=Quant(tuple((x.scale * scale).tolist()))),
    )


def _restated_scale(layer: Layer, scale: Array, outputs: Array) -> tuple[Array, Array]:
    """Weight scales that the layer's integer multipliers stand for, and which channels have the multiplier 0.

    Without its largest channel a layer may have a larger shift and finer multipliers. Those of restated scales
    are the old ones times a power of two: the same function.
    """
    requant = layer_requantization(layer)
    x, y = layer.inputs[0], layer.output
    multiplier = np.array(requant.multiplier)[outputs]
    unit = ldexp(1.0, requant.prescale - requant.shift - 32)
    return np.where(multiplier > 0, multiplier * unit * y.scale / x.scale, scale), multiplier == 0
