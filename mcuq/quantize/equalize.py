"""Cross-layer equalization: channels of one tensor share its scale, so small ones are made larger beforehand.

A positive factor per channel passes through ReLU, pooling and reshaping, so that the layer before can give
s[c] * x[c] and the layer behind take its weights by s[c]: the same network. Source: Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1. There, s balances the ranges
of both layers' weights; here, weights have a scale per output channel, which takes in all of s on one side, so s
balances the rounding of activations against that of the weights that read them: s[c] = (R / r[c])^a, with r[c] the
largest |x[c]| seen and R their maximum. a = 0 changes nothing, a = 1 gives each channel the whole range, or what room
leaves of it. The exponent and the room of least error on samples that r was not taken from are chosen for each tensor,
so that a channel which fired rarely is not blown up on the strength of its few values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from mcuq.graph.ir import Graph, Node, verify
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.reduction import Reduction
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize.apply import with_constants
from mcuq.quantize.reach import is_little, least_reach
from mcuq.quantize.seen import Seen

EXPONENTS = tuple(i / 16 for i in range(17))
# A channel that has the whole range is clipped where the next sample reaches further: of fewer values than MANY_VALUES
# channels leave each other room, if that errs less. Two dense layers, means of 6 draws, channels of 8:1 and 64:1: with
# 64 samples 28.3 and 26.1 dB without room, 31.2 and 31.3 with it, even channels 30.9. With 256 it is worth a decibel,
# and as much is lost elsewhere as is won.
MANY_VALUES = 128
ROOMS = (1.0, 1.25, 1.5, 2.0)
# A factor beyond this would give a channel that is all but unused a part in every scale.
LARGEST_FACTOR = 64.0
INT8_LEVEL = 127


@dataclass(frozen=True)
class _Pair:
    """Two layers, and the tensors between them: what the first gives, then what pooling and views make of it.

    `shrink` tells for each tensor how much pooling behind it reduces the variance of its rounding.
    """

    first: Node
    between: tuple[str, ...]
    shrink: tuple[float, ...]
    second: Node


def equalize(
    graph: Graph, seen: Mapping[str, Seen], weight_levels: Mapping[str, int] | None = None
) -> tuple[Graph, dict[str, Seen]]:
    """The float graph with equalized channels, and what is seen of its tensors for what was `seen` of the given one's:
    the same function of the same inputs up to float rounding.

    `weight_levels` gives, by layer name, the largest integer that its weights may take (default 127, int8): coarse
    weights leave less to the activations. Fewer than four samples leave the graph as it is. Tensors between layers
    change their meaning; inputs and outputs of the graph do not.
    """
    pairs = [pair for pair in _pairs(graph) if len(seen[pair.first.output].largest) >= 4]
    if not pairs:
        return graph, dict(seen)
    changed = dict(seen)
    constants = {node.name: graph.layer(node).inputs[1:] for pair in pairs for node in (pair.first, pair.second)}
    for pair in pairs:
        weight, *_ = constants[pair.second.name]
        factors = _factors_of_least_error(
            pair,
            graph.layer(pair.first),
            seen[pair.first.inputs[0]],
            [seen[name].folded(len(seen[pair.first.output].square)) for name in pair.between],
            weight.values.astype(np.float64),
            (weight_levels or {}).get(pair.second.name, INT8_LEVEL),
        )
        constants[pair.first.name] = _times(constants[pair.first.name], factors)
        constants[pair.second.name] = _read_by(pair.second, constants[pair.second.name], 1 / factors)
        changed |= {name: seen[name].times(factors) for name in pair.between}
    tensors = {name: t for name, t in graph.tensors.items() if not t.is_constant}
    nodes = []
    for node in graph.nodes:
        layer = graph.layer(node)
        inputs = (layer.inputs[0], *constants[node.name]) if node.name in constants else layer.inputs
        nodes.append(with_constants(node, inputs, tensors))
    return verify(replace(graph, nodes=tuple(nodes), tensors=tensors)), changed


def _pairs(graph: Graph) -> Iterator[_Pair]:
    """All pairs of layers that a factor per channel can move between; nothing else reads what is between them."""
    readers = graph.consumers()
    for node in graph.nodes:
        if not isinstance(node.op, Weighted):
            continue
        if node.op.minimum not in (-inf, 0.0) or node.op.maximum != inf:
            continue
        channels = graph.tensors[node.output].shape[-1]
        between: list[str] = [node.output]
        window: list[int] = []
        while True:
            name = between[-1]
            if name in graph.outputs or len(readers.get(name, [])) != 1:
                break
            reader = readers[name][0]
            if reader.inputs[0] != name:
                break
            if isinstance(reader.op, Weighted):
                if reader.op.groups in (1, channels):
                    shrink = tuple(1 / prod(window[i:]) for i in range(len(between)))
                    yield _Pair(node, tuple(between), shrink, reader)
                break
            layer = graph.layer(reader)
            if not _passes_factors(layer, channels):
                break
            window.append(reader.op.averaged(layer) or 1)
            between.append(reader.output)


def _passes_factors(layer: Layer, channels: int) -> bool:
    """Whether the operator gives s * y for s * x, s > 0, and channel c of x is every index c mod channels of y."""
    op, y = layer.op, layer.output
    # Of a mean over whole dimensions a sample has one value a channel, too few to tell how far the next reaches: with
    # 32 samples even channels before one lost 0.4 of 41.5 dB, and those of 8:1 won 2.
    if isinstance(op, Reduction) or not op.passes_channels or not y.shape or y.shape[-1] % channels:
        return False
    is_free = len(layer.inputs) == 1 and all(limit in (-inf, 0.0, inf) for limit in op.clip_limits)
    if not is_free or 0 not in op.factor_inputs(layer):
        return False
    tie = op.tie(layer, 0, len(layer.inputs[0].shape) - 1, len(y.shape) - 1)
    return tie is not None and len(set(tie[1].tolist())) == y.shape[-1] and not ((tie[0] - tie[1]) % channels).any()


def _factors(reach: Array, exponent: float, room: float) -> Array:
    """s (channels,) for the largest magnitudes (channels,); no channel is raised beyond a `room`-th of the largest.

    A channel that lies below half a step stays there: it rounds to 0, and is pruned.
    """
    whole = reach.max()
    alive = reach > whole / 510
    below = np.where(alive, whole / np.where(alive, reach, 1.0), 1.0)
    s: Array = np.minimum(below**exponent, np.clip(below / room, 1.0, LARGEST_FACTOR))
    return s


def _factors_of_least_error(pair: _Pair, first: Layer, x: Seen, seen: list[Seen], weight: Array, level: int) -> Array:
    """Of all exponents and rooms; the error is expected in the second layer's output, summed over its channels.

    Rounding of activations: step^2 / 12 times the squared weights that read it, and what is clipped likewise.
    Rounding of weights: step^2 / 12 times the mean square of what they read.
    """
    channels = seen[0].largest.shape[1]
    is_depthwise = isinstance(pair.second.op, Weighted) and pair.second.op.groups > 1
    reading = weight.reshape(channels, -1).T if is_depthwise else weight.reshape(len(weight), -1, channels)
    squared = np.sum(reading.reshape(-1, channels) ** 2, axis=0)

    # Of tensors that have the same values in other places one is as good as all.
    distinct = [(seen[0], pair.shrink[0])]
    for tensor, shrink in zip(seen[1:], pair.shrink[1:], strict=True):
        last, sum_of_shrinks = distinct[-1]
        if tensor.is_like(last):
            distinct[-1] = (last, sum_of_shrinks + shrink)
        else:
            distinct.append((tensor, shrink))

    def reach_of(tensor: Seen, largest: Array) -> Array:
        reach: Array = largest.max(axis=0)
        return np.maximum(reach, least_reach(first, x, reach, tensor)) if is_little(tensor) else reach

    def error(exponent: float, room: float) -> float:
        total = 0.0
        for fold in (0, 1):
            for tensor, shrink in distinct:
                known, unknown = tensor.largest[fold::2], tensor.largest[1 - fold :: 2]
                s = _factors(reach_of(tensor, known), exponent, room)
                limit = (s * known.max(axis=0)).max() / s
                rounding = (limit * (2 if tensor.signed else 1) / 255) ** 2 / 12
                # One value of a sample is clipped, of all that there are.
                beyond = np.mean(np.maximum(unknown - limit, 0.0) ** 2, axis=0) / tensor.positions
                total += shrink * float((squared * (rounding + beyond)).sum())
            if not is_depthwise:
                s = _factors(reach_of(seen[-1], seen[-1].largest[fold::2]), exponent, room)
                steps = np.abs(reading / s).max(axis=(1, 2)) / level
                total += float((steps**2).sum() / 12 * (s**2 * seen[-1].square).sum() * reading.shape[1])
        return total

    rooms = ROOMS if len(seen[0].largest) * seen[0].positions < MANY_VALUES else ROOMS[:1]
    best = min(((exponent, room) for room in rooms for exponent in EXPONENTS), key=lambda tried: error(*tried))
    return _factors(reach_of(seen[0], seen[0].largest), *best)


def _times(constants: tuple[Tensor, ...], factors: Array) -> tuple[Tensor, ...]:
    """(weight, bias) of a layer that gives each output channel times its factor."""
    return tuple(_scaled(t, factors.reshape(-1, *(1,) * (len(t.shape) - 1))) for t in constants)


def _read_by(node: Node, constants: tuple[Tensor, ...], factors: Array) -> tuple[Tensor, ...]:
    """(weight, bias) of a layer whose weights take each input channel times its factor."""
    weight, bias = constants
    if isinstance(node.op, Weighted) and node.op.groups > 1:
        outputs = factors.repeat(len(weight.values) // len(factors))
        return _scaled(weight, outputs.reshape(-1, *(1,) * (len(weight.shape) - 1))), bias
    return _scaled(weight, np.tile(factors, weight.shape[-1] // len(factors))), bias


def _scaled(tensor: Tensor, factors: Array) -> Tensor:
    return replace(tensor, data=(tensor.values * factors).astype(np.float32))
