"""Widens ranges that end at the largest value seen, where a few samples cannot tell the largest there will be.

The largest of n samples is passed by the next one with probability 1 / (n + 1), whatever the distribution. In a
large tensor that is one value of thousands; in logits and pooled features it is the whole answer. How far to widen
is found by leaving out half of the samples: the factor on the largest value of one half at which the other half,
quantized to that range, errs least, over all ways to halve. Large ranges cost every value a coarser step, so the
factor stays at 1 where extremes are no surprise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize.calibrate import Range
from mcuq.quantize.exact_product import exact_factor
from mcuq.quantize.observe import observe

# Beyond a factor of two a range would lose more than a bit of precision to samples that may never come.
FACTORS = 2.0 ** (np.arange(33) / 32)
# A half without any of the eleven largest samples is one in 2,048.
_RANKS = 11
# Below four samples halves tell too little: the least factor on the extremes. Measured with 3 random networks each of
# MobileNetV1's form and of three dense layers, on 3 draws of samples: at 3 samples 1.41 gives 32.0 and 20.0 dB, 2 gives
# 31.5 and 26.2, 3 gives 28.6 and 30.3; at 1 sample 2 gives 28.7 and 11.8 dB, 3 gives 29.3 and 16.7, 4 gives 28.1 and
# 18.6.
_LEAST_FACTORS = {1: 3.0, 2: 2.0, 3: 2.0}
# Ends that were read off a histogram may lie this far inside of the extreme that they stand for.
_REACHES = 1 - 2.0**-9


def add_headroom(graph: Graph, ranges: Mapping[str, Range], samples: Iterable[Mapping[str, Array]]) -> dict[str, Range]:
    """`ranges` with headroom for what these samples show of their tensors, in a run of its own."""
    headroom = Headroom(graph, ranges)
    observe(graph, samples, [headroom])
    return headroom.widened(ranges)


class Headroom:
    """Observes the extremes of tensors, from which ranges get their headroom.

    Memory: the first 11 samples of each tensor, then what lies beyond the 11th extreme to either side.
    """

    def __init__(self, graph: Graph, names: Iterable[str]) -> None:
        """Of the named tensors. The error is that of the layer which reads the tensor, where its weights mix channels
        only; else the tensor's own."""
        readers = graph.consumers()
        self._extremes = {name: Extremes(_mixing_weights(graph, readers, name)) for name in names}
        bounds = {layer.output.name: layer.op.clip_range(-np.inf, np.inf) for layer in graph.layers()}
        self._bounds = {name: bounds[name] for name in self._extremes if bounds.get(name, _UNBOUNDED) != _UNBOUNDED}

    @property
    def names(self) -> Collection[str]:
        """The tensors."""
        return self._extremes.keys()

    def add(self, values: Mapping[str, Array]) -> None:
        """Take a sample in."""
        for name, extremes in self._extremes.items():
            real = np.ravel(values[name])
            extremes.add(np.clip(real, *self._bounds[name]) if name in self._bounds else real)

    def widened(self, ranges: Mapping[str, Range]) -> dict[str, Range]:
        """`ranges` of tensors with those ends widened that reach the extremes.

        An end that lies inside of the extremes was put there on purpose and stays; so does one at 0 that nothing
        passes. With fewer than four samples the factor is two at least, with one it is three. What operators hold
        inside (held.py) has room of its own.
        """
        found = ((name, self._extremes.get(name), span) for name, span in ranges.items())
        return {name: span if extremes is None else extremes.widened(span) for name, extremes, span in found}


_UNBOUNDED = (-np.inf, np.inf)


class Extremes:
    """The samples of one tensor that reach furthest to either side."""

    def __init__(self, weight: Array | None = None) -> None:
        """With none; `weight` (outputs, inputs) mixes the channels of what reads the tensor."""
        self._weight = weight
        self._channels = 1 if weight is None else weight.shape[1]
        self._first: list[Array] = []
        self._sides: tuple[_Largest, _Largest] | None = None
        self._count = 0
        self._elements = 0

    def add(self, values: Array) -> None:
        """Take a sample's values (elements,) in."""
        self._count += 1
        self._elements = len(values)
        if self._sides is None:
            self._first.append(values.copy())  # whoever made them may write to them again
            if len(self._first) == _RANKS:
                self._sides = self._of_first()
                self._first.clear()
        else:
            for side in self._sides:
                side.add(values)

    def widened(self, span: Range) -> Range:
        """The range with those ends widened that reach the extremes."""
        below, above = self._sides or self._of_first()
        reader = None if self._weight is None else _Reader.of(self._weight.astype(np.float64))
        return _widened(span, below, above, (self._count, self._elements), reader)

    def _of_first(self) -> tuple[_Largest, _Largest]:
        return _Largest(self._first, -1, self._channels), _Largest(self._first, 1, self._channels)


class _Largest:
    """The samples with the largest maxima of `sign` times their values, those first; ties in the order in which they
    came.

    `rows` (n, channels) are those of each sample in which a value lies above the least maximum, with 0 for what is
    below: no half clips others, and hardly any are left of a large tensor.
    """

    def __init__(self, samples: Sequence[Array], sign: int, channels: int) -> None:
        """Of at most _RANKS samples' values (elements,)."""
        self._sign = sign
        self._channels = channels
        maxima = [self._maximum(values) for values in samples]
        order = sorted(range(len(samples)), key=lambda index: -maxima[index])
        self.maxima = [maxima[index] for index in order]
        self.rows = [self._beyond(samples[index]) for index in order]

    def add(self, values: Array) -> None:
        """Take in the values of one sample more than _RANKS, if it reaches beyond the least maximum."""
        largest = self._maximum(values)
        if largest > self.maxima[-1]:
            rank = sum(m >= largest for m in self.maxima)
            self.maxima.insert(rank, largest)
            del self.maxima[-1], self.rows[-1]
            self.rows.insert(rank, self._beyond(values))

    def end(self) -> _End:
        """What is known of this end of the range."""
        least = self.maxima[-1]
        return _End(np.array(self.maxima), tuple(r[r.max(axis=1) > least].astype(np.float64) for r in self.rows))

    def _maximum(self, values: Array) -> float:
        return max(float(values.max() if self._sign > 0 else -values.min()), 0.0)

    def _beyond(self, values: Array) -> Array:
        rows = (values if self._sign > 0 else -values).reshape(-1, self._channels)
        beyond: Array = np.maximum(rows[rows.max(axis=1) > self.maxima[-1]], 0)
        return beyond


@dataclass(frozen=True)
class _Reader:
    """The layer that reads a tensor: its weights (outputs, channels) as an exact factor, and the sum of their
    squares."""

    exact: Array
    energy: float

    @classmethod
    def of(cls, weight: Array) -> _Reader:
        return cls(exact_factor(weight, weight.shape[1]), float((weight**2).sum()))


@dataclass(frozen=True)
class _End:
    """One end of a range: `maxima` (ranks,) of the samples that reach furthest, and of each of them the rows of values
    (n, channels) that may be clipped."""

    maxima: Array
    rows: tuple[Array, ...]

    def limit(self, factor: float, least: float) -> float:
        """The largest value of a half, times the factor, on average; no less than `least` times the largest of all."""
        chance = 0.5 ** np.arange(1, len(self.maxima) + 1)
        return max(least * float(self.maxima[0]), factor * float(chance @ self.maxima / chance.sum()))

    def clipped(self, factor: float, reader: _Reader | None) -> float:
        """Sum over samples of the squared error in the half that they are not in, averaged over halvings.

        The half that gives the range has the sample of rank j as its largest with probability 2^-(j+1); all samples
        above it are then in the other half.
        """
        total = 0.0
        for rank in range(1, len(self.maxima)):
            end = factor * self.maxima[rank]
            if end < self.maxima[0]:  # else nothing is clipped
                total += 0.5**rank * _energy(np.maximum(self._all[: self._counts[rank - 1]] - end, 0.0), reader)
        return total

    @cached_property
    def _all(self) -> Array:
        """The rows of all samples, one sample's behind the other's."""
        return np.concatenate(self.rows)

    @cached_property
    def _counts(self) -> Array:
        """How many of them each sample and those before it have."""
        return np.cumsum([len(rows) for rows in self.rows])


def _widened(span: Range, below: _Largest, above: _Largest, seen: tuple[int, int], reader: _Reader | None) -> Range:
    """The range with the factor of least error on those ends that reach their extremes; `seen` are the numbers of
    samples and of elements of each."""
    count, elements = seen
    low, high = span
    ends: list[_End | None] = []
    for limit, side in ((-low, below), (high, above)):
        loose = limit >= _REACHES * side.maxima[0] and side.maxima[0] > 0
        ends.append(side.end() if loose else None)

    def error(factor: float) -> float:
        width = sum(
            limit if end is None else factor * float(end.maxima[0])
            for limit, end in zip((-low, high), ends, strict=True)
        )
        clipped = sum(end.clipped(factor, reader) for end in ends if end is not None)
        return elements * (width / 255) ** 2 / 12 + clipped / count

    if ends == [None, None]:
        return span
    factor = float(min(FACTORS, key=error))
    least = _LEAST_FACTORS.get(count, 1.0)
    first, last = ends
    return (
        low if first is None else min(low, -first.limit(factor, least)),
        high if last is None else max(high, last.limit(factor, least)),
    )


def _energy(error: Array, reader: _Reader | None) -> float:
    """Sum of squares of what the reading layer makes of errors (rows, channels), in units of its input.

    Errors of rounding add up as squares there, but clipped values all err to one side.
    """
    if reader is None:
        return float((error**2).sum())
    channels = reader.exact.shape[1]
    mixed = exact_factor(error[error.any(axis=1)], channels) @ reader.exact.T
    return float((mixed**2).sum() / reader.energy * channels)


def _mixing_weights(graph: Graph, readers: Mapping[str, Sequence[Node]], name: str) -> Array | None:
    """(outputs, inputs) of the one fully connected layer or 1x1 convolution that reads the tensor, if that is so."""
    while True:
        own = readers.get(name, [])
        if len(own) != 1 or name in graph.outputs or own[0].inputs[0] != name:
            return None
        node = own[0]
        if not (node.op.is_conversion or (node.op.is_view and node.op.shares_scale)):
            break
        name = node.output
    if not isinstance(node.op, Weighted) or node.op.groups > 1 or prod(graph.tensors[node.inputs[1]].shape[1:-1]) > 1:
        return None
    weight = graph.tensors[node.inputs[1]].values
    weight = weight.reshape(len(weight), -1)
    return weight if weight.any() else None
