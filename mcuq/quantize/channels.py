"""Which dimension of each tensor is its channels, and how the channels of a layer's inputs are those of its output.

Layers with weights have channels last; Transposes between them and an operator of the model's own layout move the
dimension, so that a Concat of channels may have them anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer, Tie
from mcuq.ops.moves import Moves
from mcuq.ops.weighted_operator import is_weighted


def channel_axes(graph: Graph) -> dict[str, int]:
    """The dimension of each tensor with dimensions that is its channels: the last, unless Transposes say otherwise."""
    axes: dict[str, int] = {}
    for layer in graph.layers():
        if is_weighted(layer):
            for t in (layer.inputs[0], layer.output):
                axes[t.name] = len(t.shape) - 1
    layers = [layer for layer in graph.layers() if layer.output.shape and not is_weighted(layer)]
    # A view may take another dimension for channels behind it than what else reads its tensor: it is asked last.
    moving = [layer for layer in layers if not layer.op.is_view]
    for layer in (*moving, *reversed(moving), *layers, *reversed(layers)):
        y = layer.output
        for index, x in enumerate(layer.inputs):
            behind = [_behind(layer, index, axis) for axis in range(len(x.shape))]
            if x.name in axes:
                if (axis := behind[axes[x.name]]) is not None:
                    axes.setdefault(y.name, axis)
            elif y.name in axes and axes[y.name] in behind:
                axes[x.name] = behind.index(axes[y.name])
    return {name: axes.get(name, len(t.shape) - 1) for name, t in graph.tensors.items() if t.shape}


def _behind(layer: Layer, index: int, axis: int) -> int | None:
    """The dimension of the output that lies along `axis` of an input, if only in part."""
    found = layer.op.moved_axis(layer, axis, index)
    permutes = isinstance(layer.op, Moves) and layer.op.permutes
    if found is None and not permutes and len(layer.inputs[index].shape) == len(layer.output.shape):
        return axis
    return found


def ties(layer: Layer, axes: Mapping[str, int]) -> Iterator[tuple[int, Tie | None]]:
    """Input index -> its channels and those of the output that are made of them, for operators that pass channels; None
    where all channels of the one meet all of the other.

    Nothing for an operator that computes each of its outputs otherwise.
    """
    y = layer.output
    if layer.op.passes_channels and y.shape and all(t.shape for t in layer.inputs):
        for index, x in enumerate(layer.inputs):
            yield index, layer.op.tie(layer, index, axes[x.name], axes[y.name])
