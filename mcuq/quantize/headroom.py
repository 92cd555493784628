"""Widens ranges that end at the largest value seen, where a few samples cannot tell the largest there will be.

The largest of n samples is passed by the next one with probability 1 / (n + 1), whatever the distribution. In a
large tensor that is one value of thousands; in logits and pooled features it is the whole answer. How far to widen
is found by leaving out half of the samples: the factor on the largest value of one half at which the other half,
quantized to that range, errs least, over all ways to halve. Large ranges cost every value a coarser step, so the
factor stays at 1 where extremes are no surprise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.convert import Convert
from mcuq.ops.reshape import Reshape
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize.calibrate import Range
from mcuq.quantize.exact_product import exact_factor

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
    """`ranges` with those ends widened that reach the extremes of these samples.

    An end that lies inside of the extremes was put there on purpose and stays; so does one at 0 that nothing
    passes. With fewer than four samples the factor is two at least, with one it is three. The error is that of the
    layer which reads the tensor, where its weights mix channels only; else the tensor's own. Memory: 22 samples of each
    tensor, whatever their number.
    """
    computed = [name for name in ranges if name not in graph.inputs]
    model = FloatModel(write_onnx(graph, [*computed, *(o for o in graph.outputs if o not in computed)]))
    bounds = {layer.output.name: layer.op.clip_range(-np.inf, np.inf) for layer in graph.layers()}
    seen = {name: Extremes() for name in ranges}
    for sample in samples:
        values = model.run(sample, computed)
        for name, extremes in seen.items():
            real = values[name] if name in values else sample[name]
            extremes.add(np.clip(np.ravel(real), *bounds.get(name, _UNBOUNDED)))
    readers = graph.consumers()
    return {name: seen[name].widened(span, _mixing_weights(graph, readers, name)) for name, span in ranges.items()}


_UNBOUNDED = (-np.inf, np.inf)


class Extremes:
    """The samples of one tensor that reach furthest to either side."""

    def __init__(self) -> None:
        """With none."""
        self._below = _Largest()
        self._above = _Largest()
        self._count = 0

    def add(self, values: Array) -> None:
        """Take a sample's values (elements,) in."""
        self._below.add(-values)
        self._above.add(values)
        self._count += 1

    def widened(self, span: Range, weight: Array | None = None) -> Range:
        """The range with those ends widened that reach the extremes; `weight` (outputs, inputs) mixes channels."""
        return _widened(span, self._below, self._above, self._count, weight)


class _Largest:
    """The samples with the largest maxima, those first; ties in the order in which they came."""

    def __init__(self) -> None:
        self.samples: list[Array] = []
        self.maxima: list[float] = []

    def add(self, values: Array) -> None:
        """Take a sample's values in, if its maximum is among the largest."""
        largest = max(float(values.max()), 0.0)
        rank = sum(m >= largest for m in self.maxima)
        if rank < _RANKS:
            self.maxima.insert(rank, largest)
            self.samples.insert(rank, np.maximum(values, 0))
            del self.maxima[_RANKS:], self.samples[_RANKS:]


@dataclass(frozen=True)
class _End:
    """One end of a range: `maxima` (ranks,) of the samples that reach furthest, and the rows of values (n, channels) of
    each of them.

    Rows without a value above the least maximum are left out, as no half clips them: hardly any are left of a large
    tensor.
    """

    maxima: Array
    rows: tuple[Array, ...]

    def limit(self, factor: float, least: float) -> float:
        """The largest value of a half, times the factor, on average; no less than `least` times the largest of all."""
        chance = 0.5 ** np.arange(1, len(self.maxima) + 1)
        return max(least * float(self.maxima[0]), factor * float(chance @ self.maxima / chance.sum()))

    def clipped(self, factor: float, weight: Array | None) -> float:
        """Sum over samples of the squared error in the half that they are not in, averaged over halvings.

        The half that gives the range has the sample of rank j as its largest with probability 2^-(j+1); all samples
        above it are then in the other half.
        """
        total = 0.0
        for rank in range(1, len(self.maxima)):
            beyond = np.maximum(np.concatenate(self.rows[:rank]) - factor * self.maxima[rank], 0.0)
            total += 0.5**rank * _energy(beyond, weight)
        return total


def _widened(span: Range, below: _Largest, above: _Largest, count: int, weight: Array | None) -> Range:
    """The range with the factor of least error on those ends that reach their extremes."""
    low, high = span
    ends: list[_End | None] = []
    for limit, seen in ((-low, below), (high, above)):
        loose = limit >= _REACHES * seen.maxima[0] and seen.maxima[0] > 0
        ends.append(_end(seen, 1 if weight is None else weight.shape[1]) if loose else None)
    elements = len(below.samples[0])

    def error(factor: float) -> float:
        width = sum(
            limit if end is None else factor * float(end.maxima[0])
            for limit, end in zip((-low, high), ends, strict=True)
        )
        clipped = sum(end.clipped(factor, weight) for end in ends if end is not None)
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


def _end(seen: _Largest, channels: int) -> _End:
    rows = [values.reshape(-1, channels) for values in seen.samples]
    clipped = [values[values.max(axis=1) > seen.maxima[-1]].astype(np.float64) for values in rows]
    return _End(np.array(seen.maxima), tuple(clipped))


def _energy(error: Array, weight: Array | None) -> float:
    """Sum of squares of what the reading layer makes of errors (rows, channels), in units of its input.

    Errors of rounding add up as squares there, but clipped values all err to one side.
    """
    if weight is None:
        return float((error**2).sum())
    error = exact_factor(error[error.any(axis=1)], weight.shape[1])
    mixed = error @ exact_factor(weight, weight.shape[1]).T
    return float((mixed**2).sum() / (weight**2).sum() * weight.shape[1])


def _mixing_weights(graph: Graph, readers: Mapping[str, Sequence[Node]], name: str) -> Array | None:
    """(outputs, inputs) of the one fully connected layer or 1x1 convolution that reads the tensor, if that is so."""
    own = readers.get(name, [])
    if len(own) != 1 or name in graph.outputs or own[0].inputs[0] != name:
        return None
    node = own[0]
    if isinstance(node.op, Convert | Reshape):
        return _mixing_weights(graph, readers, node.output)
    if not isinstance(node.op, Weighted) or node.op.groups > 1 or prod(graph.tensors[node.inputs[1]].shape[1:-1]) > 1:
        return None
    weight = graph.tensors[node.inputs[1]].values.astype(np.float64)
    weight = weight.reshape(len(weight), -1)
    return weight if weight.any() else None
