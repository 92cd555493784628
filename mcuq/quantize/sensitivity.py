"""How much an error in each channel of a tensor is of what is read behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import is_depthwise, is_weighted, weight_groups
from mcuq.quantize.channels import channel_axes, ties
from mcuq.quantize.seen import Seen


def sensitivities(graph: Graph, seen: Mapping[str, Seen]) -> dict[str, Array]:
    """(channels,) of each tensor: squared error in what is read behind it, relative to all that is read there, for an
    error of 1 in each value of the channel. The relative errors of several readers add up."""
    found = {name: np.zeros(len(s.square)) for name, s in seen.items()}
    axes = channel_axes(graph)

    def whole(name: str) -> float:
        total = float(seen[name].square.sum())
        return 1 / total if total > 0 else 0.0

    for name in graph.outputs:
        if name in found:
            found[name] += whole(name)
    for node in reversed(graph.nodes):
        layer = graph.layer(node)
        if layer.output.name not in found:
            continue
        behind = found[layer.output.name]
        if is_weighted(layer):
            x, weight, _ = layer.inputs
            groups = weight_groups(layer)
            squares = (weight.values.astype(np.float64) ** 2).reshape(
                groups, len(behind) // groups, -1, weight.shape[-1]
            )
            if is_depthwise(layer):
                found[x.name] += np.einsum("gotc,go->gc", squares, behind.reshape(groups, -1)).reshape(-1)
            else:
                read = squares.sum(axis=(1, 2)).reshape(-1)
                signal = float((read * seen[x.name].square).sum())
                found[x.name] += read / signal if signal > 0 else 0.0
            continue
        tied = dict(ties(layer, axes))
        shrink = layer.output.elements / max(t.elements for t in layer.inputs) if layer.op.averaged(layer) else 1.0
        for index, t in enumerate(layer.inputs):
            if t.name not in found:
                continue
            if index in tied:
                gain, tie = shrink * _gain(layer, index, seen), tied[index]
                if tie is None:
                    found[t.name] += gain * behind.sum() / len(found[t.name])
                else:
                    np.add.at(found[t.name], tie[0], gain * behind[tie[1]])
            elif t.shape == layer.output.shape and axes.get(t.name) == axes.get(layer.output.name):
                found[t.name] += behind
            else:
                found[t.name] += whole(t.name)
    return found


def _gain(layer: Layer, index: int, seen: Mapping[str, Seen]) -> float:
    """The mean square of what the operator multiplies the input by."""
    squares = [
        float(np.mean(t.values.astype(np.float64) ** 2)) if t.is_constant else float(seen[t.name].square.mean())
        for t in layer.inputs
    ]
    return layer.op.gain(index, squares)
