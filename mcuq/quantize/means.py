"""What the float network gives on average: what bias correction (recover.py) holds quantized layers to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.given_weights import has_given_weights
from mcuq.ops.weighted_operator import is_weighted
from mcuq.quantize.observe import observe


class ChannelMeans:
    """Observes the mean of each index of the last dimension of tensors, over all samples alike."""

    def __init__(self, graph: Graph, names: Iterable[str]) -> None:
        """`names` are tensors of the graph."""
        self._totals = {name: np.zeros(graph.tensors[name].shape[-1]) for name in names}
        self._count = 0

    @property
    def names(self) -> Collection[str]:
        """The tensors."""
        return self._totals.keys()

    def add(self, values: Mapping[str, Array]) -> None:
        """Take a sample in."""
        for name, total in self._totals.items():
            value = values[name]
            total += value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
        self._count += 1

    @property
    def means(self) -> dict[str, Array]:
        """(channels,) by name, float64."""
        return {name: total / self._count for name, total in self._totals.items()}


def corrected_tensors(graph: Graph, without: Collection[str] = ()) -> list[str]:
    """Outputs, but for those in `without`, of layers whose biases may be moved: of weights that came as floats."""
    return [
        layer.output.name
        for layer in graph.layers()
        if is_weighted(layer) and not has_given_weights(layer) and layer.output.name not in without
    ]


def channel_means(graph: Graph, samples: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
    """Of all layers whose biases may be moved, by the names of their outputs."""
    observer = ChannelMeans(graph, corrected_tensors(graph))
    observe(graph, samples, [observer])
    return observer.means
