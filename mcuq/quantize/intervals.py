"""Which values each element of a quantized graph can take, over all inputs that there are.

Interval arithmetic: sound, and exact for each layer by itself, as all of it is in integers. Values that depend on
each other are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.unary import Unary
from mcuq.ops.weighted_operator import is_weighted, weight_groups

Interval = tuple[Array, Array]


def intervals(graph: Graph) -> dict[str, Interval]:
    """(least, greatest) value of each element, (1, *shape), of every tensor; a constant's are its values.

    Inputs of the graph can be anything. An operator that says nothing of its extremes can give anything as well, and so
    can one that has to do with floats.
    """
    found: dict[str, Interval] = {}
    for tensor in graph.tensors.values():
        if tensor.is_constant:
            found[tensor.name] = (tensor.values, tensor.values)
        elif tensor.name in graph.inputs:
            found[tensor.name] = _anything(tensor)
    for layer in graph.layers():
        found[layer.output.name] = _layer_interval(layer, found)
    return found


def _layer_interval(layer: Layer, found: Mapping[str, Interval]) -> Interval:
    low, high = zip(*(found[t.name] for t in layer.inputs), strict=True)
    op = layer.op
    if not layer.is_integer:
        return _anything(layer.output)
    if is_weighted(layer):
        return _weighted(layer, low[0], high[0]), _weighted(layer, high[0], low[0])
    if op.is_multilinear:
        ends = [_ends(low[i], high[i], op.bend(layer, i)) for i in range(len(low))]
        corners = [op.simulate(layer, corner) for corner in product(*ends)]
        return np.minimum.reduce(corners), np.maximum.reduce(corners)
    if isinstance(op, Unary):
        return _function_interval(layer, low[0], high[0])
    if op.is_monotone:
        return op.simulate(layer, low), op.simulate(layer, high)
    return _anything(layer.output)


def _ends(low: Array, high: Array, bend: int | None) -> list[Array]:
    """Of all values from `low` to `high` those that extremes may have: both, and those on either side of a bend."""
    beside = [] if bend is None else [np.clip(np.int64(end), low, high).astype(low.dtype) for end in (bend - 1, bend)]
    return [low] if low is high else [low, high, *beside]


def _anything(tensor: Tensor) -> Interval:
    low, high = (-np.inf, np.inf) if tensor.quant is None else tensor.quant.bounds
    return np.full((1, *tensor.shape), low, tensor.dtype), np.full((1, *tensor.shape), high, tensor.dtype)


def _weighted(layer: Layer, for_positive: Array, for_negative: Array) -> Array:
    """The layer's output where positive weights meet one input and negative weights the other.

    One layer with twice the channels: each weight's positive part on the first, its negative part on the second.
    """
    x, weight, bias = layer.inputs
    parts = (np.maximum(weight.values, 0), np.minimum(weight.values, 0))
    doubled = np.concatenate(parts, axis=-1)
    groups = weight_groups(layer)
    split = (*for_positive.shape[:-1], groups, x.shape[-1] // groups)
    both = np.concatenate([for_positive.reshape(split), for_negative.reshape(split)], axis=-1)
    shape = (*x.shape[:-1], 2 * x.shape[-1])
    inputs = (replace(x, shape=shape), replace(weight, shape=doubled.shape, data=doubled), bias)
    return layer.op.simulate(replace(layer, inputs=inputs), [both.reshape(1, *shape), doubled, bias.values])


def _function_interval(layer: Layer, low: Array, high: Array) -> Interval:
    """Least and greatest of the outputs for the inputs from `low` to `high`.

    Two ranges of a power of two, which overlap, cover them: those from `low` on, and those up to `high`.
    """
    first, last = layer.inputs[0].quantization.bounds
    least = greatest = layer.op.simulate(layer, [np.arange(first, last + 1).astype(low.dtype)[None]])[0]
    start, end = low.astype(np.int32) - first, high.astype(np.int32) - first
    power = np.frexp((end - start + 1).astype(np.float64))[1] - 1
    found = np.zeros_like(low, least.dtype), np.zeros_like(low, least.dtype)
    for exponent in range(int(power.max()) + 1):
        chosen, width = power == exponent, 1 << exponent
        ends = start[chosen], end[chosen] - width + 1
        found[0][chosen] = np.minimum(*(least[i] for i in ends))
        found[1][chosen] = np.maximum(*(greatest[i] for i in ends))
        least, greatest = np.minimum(least[:-width], least[width:]), np.maximum(greatest[:-width], greatest[width:])
    return found
