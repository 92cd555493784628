"""Inputs whose channels or features differ in range: a scale and a zero point for each.

One scale for a pressure in pascal and an acceleration in g leaves nothing of the second; where the network normalizes
its input itself, the same ratio goes into the columns of its first weights. Outside, each channel has a scale of its
own; layers read one uniform tensor, and have the scales in their weights and the shifts in their biases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from mcuq.dataset import Sample
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.quantization import SMALLEST_STEP, power_of_two_above, quant_for_range
from mcuq.graph.tensor import Array
from mcuq.ops.dtypes import INTEGERS
from mcuq.ops.given_weights import came_with, has_given_weights
from mcuq.ops.moves import is_selection
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize.activations import with_room
from mcuq.quantize.calibrate import FEWEST_SAMPLES, Range
from mcuq.quantize.dtypes import activation_dtypes
from mcuq.quantize.edges import MOST_CHANNELS
from mcuq.quantize.headroom import Extremes
from mcuq.quantize.input_grid import input_grid_ranges
from mcuq.quantize.method import CalibrationMethod
from mcuq.quantize.ranges import RangeCollector
from mcuq.quantize.scheme import Scheme

# How many times less noise the first layers must have with scales per channel, for all that makes them harder to use.
# Measured on halves of calibration data: the networks that need no scales per channel have gains of 0.9 to 3.7, and at
# 3.7 (ad: 640 log-mel features) 42.62 dB become 42.66; at 16.7 (three axes of a vibration sensor, the third about 10)
# two decibels are won. Half of the channels 5 times smaller than the others, with weights to match, are 13; one of 30,
# 16 times smaller, is 9.5.
GAIN = 8.0


@dataclass(frozen=True, eq=False)
class Regridded:
    """A float graph with inputs that have scales per channel, and the ranges that their tensors are to have."""

    graph: Graph
    ranges: Mapping[str, Range]


@dataclass(frozen=True, eq=False)
class _Entry:
    """Where integers of an input begin: the input itself, or a Convert of it behind `moves`."""

    name: str
    input: str
    moves: tuple[Node, ...] = ()

    def values(self, graph: Graph, sample: Sample) -> Array:
        """A sample's values in the entry's shape."""
        x = sample[self.input]
        for node in self.moves:
            x = _moved(graph, node, x)
        return x


@dataclass(frozen=True, eq=False)
class _Reader:
    """A layer that reads an entry's values. `channels` has the index of the channel that each weight is for, in a shape
    that broadcasts against the weights."""

    node: Node
    channels: Array
    is_padded: bool


@dataclass(frozen=True, eq=False)
class _Seen:
    """The width of the range of all values, and of each channel that of its own and its variance."""

    whole: float
    spread: Array
    variance: Array


def regrid_inputs(
    graph: Graph, samples: Sequence[Sample], scheme: Scheme, method: CalibrationMethod, headroom: bool
) -> Regridded:
    """The float graph, which has its conversions, with scales per channel for the inputs that need them.

    An input needs them where they lower the noise expected in a layer that reads it to a GAIN-th. It can have them
    where only layers with weights read it, maybe in another shape or order; layers that pad take scales without shifts.
    `method` finds the range of each channel. Samples of which a channel has fewer than FEWEST_SAMPLES values tell
    nothing of ranges.
    """
    ranges: dict[str, Range] = {}
    if not scheme.splits_inputs:
        return Regridded(graph, ranges)
    on_grid = input_grid_ranges(graph, samples)
    for entry in list(_entries(graph, scheme)):
        dtype = activation_dtypes(graph, scheme)[entry.name]
        axis = _best_axis(graph, entry, samples, scheme, entry.input in on_grid)
        if axis is not None:
            readers = _readers(graph, entry.name, _index(graph.tensors[entry.name].shape, axis))
            assert readers is not None
            spans = _spans(graph, entry, axis, samples, method, headroom)
            graph, found = _regridded(graph, entry, axis, readers, spans, scheme, dtype)
            ranges |= found
    return Regridded(graph, ranges)


def _entries(graph: Graph, scheme: Scheme) -> Iterator[_Entry]:
    """Inputs of integers, and the first integers made of inputs of floats; none that came quantized."""
    dtypes = activation_dtypes(graph, scheme)
    readers = graph.consumers()
    for name in graph.given_inputs:
        if graph.tensors[name].quant is not None:
            continue
        if dtypes[name] != "float32":
            yield _Entry(name, name)
            continue
        pending: list[tuple[str, tuple[Node, ...]]] = [(name, ())]
        while pending:
            tensor, moves = pending.pop()
            for node in readers.get(tensor, []):
                if node.op.is_conversion and node.op.stated_dtype in INTEGERS:
                    yield _Entry(node.output, name, moves)
                elif is_selection(graph.layer(node)):
                    pending.append((node.output, (*moves, node)))


def _best_axis(graph: Graph, entry: _Entry, samples: Sequence[Sample], scheme: Scheme, on_grid: bool) -> int | None:
    """The dimension along which scales of their own gain most; None where none needs or can have them.

    `on_grid`: int8 holds all values as they are, in one scale.
    """
    shape = graph.tensors[entry.name].shape
    axes = {
        axis: readers
        for axis, size in enumerate(shape)
        if 1 < size <= MOST_CHANNELS
        and len(samples) * prod(shape) >= FEWEST_SAMPLES * size
        and (readers := _readers(graph, entry.name, _index(shape, axis)))
    }
    if not axes:
        return None
    values = [entry.values(graph, sample) for sample in samples]
    gains = {}
    for axis, readers in axes.items():
        low, high = _limits(values, axis)
        if _keeps_zero(readers, scheme):
            low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        spread = high - low
        whole = max(float(high.max()), 0.0) - min(float(low.min()), 0.0)
        # Neither part of the noise falls by more than the square of what scales differ by.
        if not (spread > 0).any() or whole**2 < GAIN * spread[spread > 0].min() ** 2:
            continue
        gain = _gain(graph, readers, _Seen(whole, spread, _variance(values, axis)), scheme, on_grid)
        if gain >= GAIN:
            gains[axis] = gain
    return max(gains, key=lambda axis: gains[axis]) if gains else None


def _limits(values: Sequence[Array], axis: int) -> tuple[Array, Array]:
    """Least and greatest value of each channel."""
    others = _others(values[0], axis)
    low, high = np.stack([v.min(axis=others) for v in values]), np.stack([v.max(axis=others) for v in values])
    return low.min(axis=0).astype(np.float64), high.max(axis=0).astype(np.float64)


def _variance(values: Sequence[Array], axis: int) -> Array:
    others = _others(values[0], axis)
    count = len(values) * values[0].size // values[0].shape[axis]
    mean = sum(v.sum(axis=others, dtype=np.float64) for v in values) / count
    along = [-1 if a == axis else 1 for a in range(values[0].ndim)]
    squares = sum(np.square(v - mean.reshape(along)).sum(axis=others, dtype=np.float64) for v in values)
    return np.asarray(squares / count)


def _others(value: Array, axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(value.ndim) if a != axis)


def _gain(graph: Graph, readers: Sequence[_Reader], seen: _Seen, scheme: Scheme, on_grid: bool) -> float:
    """How many times less noise scales per channel are expected to give the reader that gains most.

    Rounding the input: step^2 / 12 times the squared weights that read it. Rounding weights: step^2 / 12 times the
    variance of what they read.
    """
    # What never changed is exact at the middle of its range, and mends what is off by a bias.
    alive = seen.spread > 0
    spread, variance = np.where(alive, seen.spread, SMALLEST_STEP), np.where(alive, seen.variance, 0.0)
    dtypes = activation_dtypes(graph, scheme)
    best = 0.0
    for reader in readers:
        is_wide = dtypes[reader.node.inputs[0]] == "int16"
        levels = 2**16 - 1 if is_wide else 2**8 - 1
        weight = graph.tensors[reader.node.inputs[1]].values.astype(np.float64)
        reach = scheme.reach_of(*reader.node.names)

        def noise(
            scale: Array, rounding: Array, weight: Array = weight, reader: _Reader = reader, reach: int = reach
        ) -> float:
            scaled = weight * scale[reader.channels]
            rows = scaled.reshape(len(scaled), -1)
            read = np.broadcast_to((variance / scale**2)[reader.channels], weight.shape).reshape(rows.shape)
            rounded = (np.abs(rows).max(axis=1) / reach) ** 2 * read.sum(axis=1)
            return float((scaled**2 * (rounding / scale)[reader.channels] ** 2).sum() + rounded.sum()) / 12

        one = np.ones_like(spread)
        before = noise(one, alive * (0.0 if on_grid and not is_wide else seen.whole / levels))
        after = noise(spread, spread / levels)
        best = max(best, before / after if after > 0 else 0.0)
    return best


def _spans(
    graph: Graph, entry: _Entry, axis: int, samples: Sequence[Sample], method: CalibrationMethod, headroom: bool
) -> list[tuple[float, Range]]:
    """Of each channel the middle of its values, and its range about that."""
    stacked = np.moveaxis(np.stack([entry.values(graph, sample) for sample in samples]), axis + 1, 0)
    found = []
    for values in stacked.reshape(len(stacked), len(samples), -1):
        middle = (float(values.min()) + float(values.max())) / 2
        collector, extremes = RangeCollector(entry.input, averaging=method.averaging), Extremes()
        for sample in values:
            collector.update(sample - middle)
            extremes.add(sample - middle)
        span = collector.range(method)
        found.append((middle, extremes.widened(span) if headroom else span))
    return found


def _regridded(
    graph: Graph,
    entry: _Entry,
    axis: int,
    readers: Sequence[_Reader],
    spans: Sequence[tuple[float, Range]],
    scheme: Scheme,
    dtype: str,
) -> tuple[Graph, dict[str, Range]]:
    middle = np.array([m for m, _ in spans])
    low, high = middle + [low for _, (low, _) in spans], middle + [high for _, (_, high) in spans]
    if _keeps_zero(readers, scheme):
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
        shift, scale = np.zeros_like(low), np.maximum(-low, high)
    else:
        shift, scale = (low + high) / 2, (high - low) / 2
    scale = _with_unchanged(graph, readers, scale, np.abs(shift))
    # Zero points are int32, and float32 values so far from 0 have ten bits left for what varies.
    scale = np.maximum(scale, np.abs(shift) * 2.0**-14)
    if scheme.power_of_two:
        scale = np.array([power_of_two_above(s) for s in scale.tolist()])
    scale = scale.astype(np.float32).astype(np.float64)
    span = (float(((low - shift) / scale).min()), float(((high - shift) / scale).max()))
    builder = GraphBuilder(graph)
    convert = builder.producer(entry.name)
    if convert is None:
        # Zero points are whole numbers: shifts are so many steps.
        step = scale * quant_for_range(*with_room(span, dtype), dtype, scheme.activation_options).step
        shift = np.rint(shift / step) * step
    scale, shift = scale.astype(np.float32), shift.astype(np.float32)
    constants = [builder.constant(scale, f"{entry.input}.scale"), builder.constant(shift, f"{entry.input}.shift")]
    output = entry.name
    if convert is not None:
        builder.nodes[output] = replace(
            convert, op=QuantizeChannels(axis, dtype), inputs=(convert.inputs[0], *constants)
        )
    else:
        output = builder.fresh(f"{entry.name}.uniform")
        builder.redirect(entry.name, output)
        builder.add(Regrid(axis), [entry.name, *constants], output)
    for reader in readers:
        node = builder.nodes[reader.node.output]
        weight, bias = (builder.tensors[name] for name in node.inputs[1:])
        scaled = weight.values * scale[reader.channels].astype(np.float64)
        shifted = weight.values * shift[reader.channels].astype(np.float64)
        inputs = (
            node.inputs[0],
            builder.constant(scaled.astype(np.float32), weight.name),
            builder.constant(
                (bias.values + shifted.reshape(len(shifted), -1).sum(axis=1)).astype(np.float32), bias.name
            ),
        )
        builder.nodes[node.output] = replace(node, inputs=inputs)
    return builder.graph(), {entry.name: span, output: span}


def _with_unchanged(graph: Graph, readers: Sequence[_Reader], scale: Array, largest: Array) -> Array:
    """Scales for channels that never changed too, which have 0: up to `largest`, while no weight of theirs is above
    those of the others."""
    changed = scale > 0
    found = np.where(changed, scale, np.where(largest > 0, largest, float(np.median(scale[changed]))))
    for reader in readers:
        weight = np.abs(graph.tensors[reader.node.inputs[1]].values.astype(np.float64))
        channel = np.broadcast_to(reader.channels, weight.shape)
        of_channel = np.zeros_like(scale)
        np.maximum.at(of_channel, channel, weight)
        most = float((of_channel * scale).max())
        with np.errstate(divide="ignore"):
            found = np.where(changed | (most == 0), found, np.minimum(found, most / of_channel))
    return found


def _keeps_zero(readers: Sequence[_Reader], scheme: Scheme) -> bool:
    """Whether the real 0 must be one code in all channels: it is what padding writes."""
    return scheme.symmetric or any(reader.is_padded for reader in readers)


def _index(shape: tuple[int, ...], axis: int) -> Array:
    """The index along `axis` of each element."""
    return np.broadcast_to(np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))]), shape)


def _readers(graph: Graph, name: str, index: Array) -> list[_Reader] | None:
    """The layers that read a tensor whose elements belong to the channels `index`; None where one of them cannot have
    the channels' scales in its weights."""
    found = []
    consumers = graph.consumers()
    pending = [(name, index)]
    while pending:
        tensor, index = pending.pop()
        if tensor in graph.outputs:
            return None
        for node in consumers.get(tensor, []):
            if node.op.is_conversion or is_selection(graph.layer(node)):
                pending.append((node.output, _moved(graph, node, index)))
                continue
            layer = graph.layer(node)
            if not isinstance(node.op, Weighted) or has_given_weights(layer) or came_with(layer):
                return None
            rows = index.reshape(-1, index.shape[-1])
            if node.inputs[0] != tensor or (rows != rows[0]).any():
                return None
            channels = _weight_channels(rows[0], graph.tensors[node.inputs[1]].shape)
            found.append(_Reader(node, channels, node.op.is_padded))
    return found


def _weight_channels(channels: Array, shape: tuple[int, ...]) -> Array:
    """The channel that each weight of `shape`, outputs first and inputs of a group last, is for."""
    outputs, width = shape[0], shape[-1]
    groups = channels.reshape(-1, width).repeat(outputs // (len(channels) // width), axis=0)
    return groups.reshape(outputs, *(1,) * (len(shape) - 2), width)


def _moved(graph: Graph, node: Node, x: Array) -> Array:
    """What the node, which only moves or converts, makes of values of its input's shape."""
    if node.op.is_conversion:
        return x
    moved: Array = node.op.simulate(graph.layer(node), [x[None]])[0]
    return moved
