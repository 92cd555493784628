"""Which channels of a float graph can be multiplied by a factor that the layers around them take in.

A layer with weights gives s[c] * y[c], another reads it by weights divided by s[c], and what stands between passes
factors: ReLU, pooling, views, Add and Concat of tensors with the same factors. Channels that must have one factor are
a class; class 0 has the factor 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from mcuq.graph.ir import Graph, Node, verify
from mcuq.graph.operator import Layer, Tie
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.weighted_operator import is_weighted, weight_groups
from mcuq.quantize.apply import with_constants
from mcuq.quantize.channels import channel_axes, ties


@dataclass(frozen=True)
class Classes:
    """`of`: class of each channel, by tensor. `limit`: by tensor, what no channel may reach times its factor, which
    then must be 1 at least: what clips to other limits than 0 clips nothing only below them."""

    of: Mapping[str, Array]
    limit: Mapping[str, float]


def find_classes(graph: Graph) -> Classes:
    """The classes of all channels of the graph, constants that data is added to or joined with included."""
    count, axes = 1, channel_axes(graph)
    of: dict[str, Array] = {}
    for name, tensor in graph.tensors.items():
        channels = tensor.shape[axes[name]] if tensor.shape else 1
        of[name] = np.arange(count, count + channels)
        count += channels
    for name in (*graph.inputs, *graph.outputs):
        of[name][:] = 0
    joined: list[tuple[str, str, Tie]] = []
    limit: dict[str, float] = {}
    for layer in graph.layers():
        passed = dict(_passed(layer, axes))
        low, high = layer.op.clip_limits
        if not low <= 0 <= high:
            of[layer.output.name][:] = 0
        limit[layer.output.name] = min((abs(v) for v in (low, high) if v not in (-inf, 0.0, inf)), default=inf)
        for index, t in enumerate(layer.inputs):
            if index in passed:
                tie = passed[index] or _whole(len(of[t.name]), len(of[layer.output.name]))
                joined.append((t.name, layer.output.name, tie))
            elif not (is_weighted(layer) and index == 0):
                of[t.name][:] = 0
        if not passed and not is_weighted(layer):
            of[layer.output.name][:] = 0
    _join(of, joined)
    return Classes(of, limit)


def _whole(x: int, y: int) -> Tie:
    """All channels of the one with all of the other."""
    return np.r_[np.arange(x), np.zeros(y, int)], np.r_[np.zeros(x, int), np.arange(y)]


def _join(of: dict[str, Array], joined: list[tuple[str, str, Tie]]) -> None:
    """Give tied channels the least of their numbers, there and back until nothing changes."""
    changed = True
    while changed:
        changed = False
        for a, b, (a_channels, b_channels) in (*joined, *reversed(joined)):
            least = np.minimum(of[a][a_channels], of[b][b_channels])
            if (least < of[a][a_channels]).any() or (least < of[b][b_channels]).any():
                changed = True
                np.minimum.at(of[a], a_channels, least)
                np.minimum.at(of[b], b_channels, least)


def _passed(layer: Layer, axes: Mapping[str, int]) -> list[tuple[int, Tie | None]]:
    """Input index -> its channels and the output's that have the same factor, None for all, where factors pass."""
    passing = layer.op.factor_inputs(layer)
    return [(index, tie) for index, tie in ties(layer, axes) if index in passing]


def with_factors(graph: Graph, factors: Mapping[str, Array]) -> Graph:
    """The graph whose tensors are multiplied by their factors (channels,); those of a class must be the same."""
    tensors, axes = {name: t for name, t in graph.tensors.items() if not t.is_constant}, channel_axes(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        layer = graph.layer(node)
        inputs = layer.inputs
        if is_weighted(layer):
            inputs = (inputs[0], *_weighted_constants(layer, factors[inputs[0].name], factors[node.output]))
        else:
            inputs = tuple(_times(t, factors[t.name], axes[t.name]) if t.is_constant and t.shape else t for t in inputs)
        nodes.append(with_constants(node, inputs, tensors))
    return verify(replace(graph, nodes=tuple(nodes), tensors=tensors))


def _weighted_constants(layer: Layer, x: Array, y: Array) -> tuple[Tensor, Tensor]:
    """(weight, bias) of a layer for the factors of its input and of its output."""
    _, weight, bias = layer.inputs
    groups = weight_groups(layer)
    rows = weight.values.astype(np.float64).reshape(groups, len(y) // groups, -1, weight.shape[-1])
    scaled = rows / x.reshape(groups, 1, 1, -1) * y.reshape(groups, -1, 1, 1)
    return replace(weight, data=scaled.astype(np.float32).reshape(weight.shape)), _times(bias, y)


def _times(tensor: Tensor, factors: Array, axis: int = 0) -> Tensor:
    if (factors == 1).all():
        return tensor
    along = factors.reshape([-1 if i == axis else 1 for i in range(len(tensor.shape))])
    return replace(tensor, data=(tensor.values * along).astype(np.float32))
