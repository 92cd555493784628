"""Channels so uneven that a tensor's one scale loses some of them are brought to one level, through all that passes
factors.

equalize.py balances neighbours whose channels differ moderately. Here a channel counts by what reads it: one that is
500 times smaller than its neighbours, and read by weights 500 times as large, adds as much to what comes out. The
error that rounding makes is predicted relative to what each layer reads, from squared weights and mean squares: a
step^2 / 12 for each rounding of an activation, times the squares of the weights that read it, and a step^2 / 12 for
each weight, times the mean square of what it reads. Factors raise small channels until their error is no more than
that of the rest, at a level of least predicted error on samples that ranges were not taken from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

import numpy as np

from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import is_depthwise, is_weighted, weight_groups
from mcuq.quantize.factors import Classes, find_classes, with_factors
from mcuq.quantize.groups import Groups, scale_groups
from mcuq.quantize.reach import least_reach
from mcuq.quantize.seen import Seen
from mcuq.quantize.sensitivity import sensitivities

# Errors of channels relative to an even share of what is lost when each has the whole range; inf: no factors.
LEVELS = (inf, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
# Tensors of an error above 25 dB get factors, where those are expected to gain 10 dB: beyond what equalized channels of
# the reference networks lose, so that those stay as they are.
HARM = 10**-2.5
WORTH = 0.1
# Channels that have the whole range are clipped where the next sample reaches further. Of fewer than four samples, none
# of which can be held out, the last (three samples, channels of 500:1: 1.0 gives 22.6 dB, 1.5 26.2, 2.0 26.2).
ROOMS = (1.0, 1.25, 1.5)
# Weights of one layer's channels may differ as much: SCALE_RANGE.
LARGEST_FACTOR = 2.0**18
INT8_LEVEL = 127
INT8_STEPS = 255


def level(
    graph: Graph, seen: Mapping[str, Seen], steps: Mapping[str, float], weight_levels: Mapping[str, int] | None = None
) -> tuple[Graph, dict[str, Seen]]:
    """The float graph with factors on uneven channels, and what is seen of its tensors for what was `seen` of the given
    one's: the same function of samples that were seen.

    `steps` is the number of steps of each tensor that is to hold integers, `weight_levels` by layer name the largest
    integer that its weights may take (default 127, int8). Works on one sample as on many. Inputs and outputs of the
    graph stay.
    """
    classes = find_classes(graph)
    factors = np.ones(1 + max((int(of.max()) for of in classes.of.values() if of.size), default=0))
    for part in _parts(graph, classes, seen, steps, weight_levels or {}):
        factors[part.numbers] = part.least_error()
    factors[0] = 1
    if (factors == 1).all():
        return graph, dict(seen)
    own = {name: factors[of] for name, of in classes.of.items()}
    return with_factors(graph, own), {name: s.times(own[name]) for name, s in seen.items()}


@dataclass(frozen=True, eq=False)
class _Channels:
    """Of one tensor: class and square of what reads it (channels,), both relative to what its readers read; the range
    of each channel (folds, channels) and what it has beyond that (folds, channels), magnitudes of samples."""

    of: Array
    sensitivity: Array
    reach: Array
    unknown: tuple[Array, ...]
    seen: Seen
    steps: float
    is_rounded: bool
    limit: float


@dataclass(frozen=True, eq=False)
class _Reader:
    """A layer whose weights mix channels: squared error of its output for its weights' steps, relative to that."""

    of: Array
    peak: Array  # (groups, outputs, inputs) largest |weight| of each
    square: Array  # (groups, inputs) mean square of what it reads
    taps: int
    signal: float
    level: int

    def error(self, s: Array) -> float:
        """For the factor of each class."""
        factors = s[self.of].reshape(len(self.peak), 1, -1)
        step = (self.peak / factors).max(axis=2) / self.level
        read = self.taps * (factors[:, 0] ** 2 * self.square).sum(axis=1)
        return float(((step**2).sum(axis=1) * read).sum() / 12 / self.signal)


@dataclass(frozen=True, eq=False)
class _Part:
    """Tensors between layers with weights, as sets that share a scale, and who reads them.

    `numbers` has the graph's classes of the part's, the first of which has factor 1 in the end.
    """

    numbers: Array
    groups: tuple[tuple[_Channels, ...], ...]
    readers: tuple[_Reader, ...]

    def least_error(self) -> Array:
        """A factor for each class."""
        folds = range(len(self.groups[0][0].reach))
        rooms = ROOMS if len(folds) > 1 else ROOMS[-1:]
        tried = [(share, room) for room in rooms for share in LEVELS]
        errors = [
            sum(self._error(self._factors(*choice, fold), fold) for fold in folds) / len(folds) for choice in tried
        ]
        best = int(np.argmin(errors))
        if errors[0] <= HARM or errors[best] >= WORTH * errors[0]:
            return np.ones(len(self.numbers))
        found = self._factors(*tried[best])
        return np.asarray(found / found[0])

    def _factors(self, share: float, room: float, fold: int | None = None) -> Array:
        """Of the level at which a channel errs no more than `share` of what is lost at the best on average, with `room`
        times what a fold, or all, saw of each."""
        noise, most = np.zeros(len(self.numbers)), np.full(len(self.numbers), LARGEST_FACTOR)
        unavoidable, channels = 0.0, 0
        for group in self.groups:
            reaches = [t.reach.max(axis=0) if fold is None else t.reach[fold] for t in group]
            whole = max(float(reach.max()) for reach in reaches)
            for t, reach in zip(group, reaches, strict=True):
                np.maximum.at(noise, t.of, np.sqrt(t.sensitivity) * whole)
                within = min(whole, t.limit) / room
                np.minimum.at(most, t.of, np.divide(within, reach, where=reach > 0, out=np.ones_like(reach)))
                unavoidable += float((t.sensitivity * reach**2).sum())
                channels += len(reach)
        if share == inf or unavoidable == 0:
            return np.ones(len(self.numbers))
        wanted = noise / (share * np.sqrt(unavoidable / channels))
        s: Array = np.clip(wanted, 1.0, np.maximum(most, 1.0))
        bounded = np.concatenate([t.of for group in self.groups for t in group if t.limit < inf] or [np.zeros(0, int)])
        if (s[bounded] < s[0]).any():
            s[0] = 1.0
        return s

    def _error(self, s: Array, fold: int) -> float:
        """What is expected of ranges from one fold, relative to what is read, summed over readers."""
        total = sum(reader.error(s) for reader in self.readers)
        for group in self.groups:
            whole = max(float((s[t.of] * t.reach[fold]).max()) for t in group)
            signed = any(t.seen.signed for t in group)
            for t in group:
                if t.is_rounded:
                    limit = whole / s[t.of]
                    rounding = (limit * (2 if signed else 1) / t.steps) ** 2 / 12
                    # One value of a sample is clipped, of all that there are.
                    beyond = np.mean(np.maximum(t.unknown[fold] - limit, 0.0) ** 2, axis=0) / t.seen.positions
                    total += float((t.sensitivity * (rounding + beyond)).sum())
        return total


def _parts(
    graph: Graph,
    classes: Classes,
    seen: Mapping[str, Seen],
    steps: Mapping[str, float],
    weight_levels: Mapping[str, int],
) -> Iterator[_Part]:
    """The parts of the graph in which something can be done."""
    sensitivity = sensitivities(graph, seen)
    scales, between = scale_groups(graph), Groups()
    for layer in graph.layers():
        if not is_weighted(layer):
            for t in layer.activations:
                between.join(layer.output.name, t.name)
    producers, readers = graph.producers(), graph.consumers()
    tensors: dict[str, list[str]] = {}
    for name in seen:
        tensors.setdefault(between.root(name), []).append(name)
    for names in tensors.values():
        numbers = np.unique(np.concatenate([np.zeros(1, int), *(classes.of[name] for name in names)]))
        if len(numbers) == 1:
            continue
        sets: dict[str, list[str]] = {}
        for name in names:
            if name in steps:
                sets.setdefault(scales.root(name), []).append(name)
        groups = []
        for members in sets.values():
            if any(classes.of[name].any() for name in members):
                own = []
                for name in members:
                    producer = producers.get(name)
                    folds = _folds(seen[name])
                    own.append(
                        _Channels(
                            np.searchsorted(numbers, classes.of[name]),
                            sensitivity[name],
                            _reach(graph, producer, folds, seen),
                            folds[::-1],
                            seen[name],
                            steps[name],
                            producer is None or not producer.op.shares_scale,
                            classes.limit.get(name, inf),
                        )
                    )
                groups.append(tuple(own))
        mixing = [
            _reader(graph.layer(node), numbers, classes, seen, weight_levels.get(node.name, INT8_LEVEL))
            for name in names
            for node in readers.get(name, [])
            if is_weighted(layer := graph.layer(node)) and node.inputs[0] == name and not is_depthwise(layer)
        ]
        if groups:
            yield _Part(numbers, tuple(groups), tuple(reader for reader in mixing if reader.signal > 0))


def _folds(own: Seen) -> tuple[Array, ...]:
    """Largest magnitudes of two halves of the samples, of all where they are few: (samples, channels) each."""
    return (own.largest[0::2], own.largest[1::2]) if len(own.largest) > 3 else (own.largest,)


def _reach(graph: Graph, producer: Node | None, folds: tuple[Array, ...], seen: Mapping[str, Seen]) -> Array:
    """The range of each channel (folds, channels)."""
    reach = np.stack([fold.max(axis=0) for fold in folds])
    if producer is not None and is_weighted(layer := graph.layer(producer)):
        x, y = seen[producer.inputs[0]], seen[producer.output]
        reach = np.maximum(reach, least_reach(layer, x, reach.max(axis=0), y))
    return reach


def _reader(layer: Layer, numbers: Array, classes: Classes, seen: Mapping[str, Seen], level: int) -> _Reader:
    x, weight, _ = layer.inputs
    groups = weight_groups(layer)
    w = np.abs(weight.values.astype(np.float64)).reshape(groups, len(weight.values) // groups, -1, weight.shape[-1])
    square = seen[x.name].square.reshape(groups, -1)
    return _Reader(
        np.searchsorted(numbers, classes.of[x.name]),
        w.max(axis=2),
        square,
        w.shape[2],
        float(((w**2).sum(axis=(1, 2)) * square).sum()),
        level,
    )
