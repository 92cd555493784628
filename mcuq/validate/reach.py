"""Whether test inputs stay within the ranges that calibration data gave the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, ChannelQuant, Tensor
from mcuq.quantize import beyond_range

OUTSIDE_SHARE = 0.001


class InputMeter:
    """Counts the values of each input that lie beyond its range by more than a step, over any number of batches."""

    def __init__(self, graph: Graph) -> None:
        self._tensors = {name: _quantized(graph, name) for name in graph.given_inputs}
        self._outside = dict.fromkeys(self._tensors, 0)
        self._values = dict.fromkeys(self._tensors, 0)
        self._extremes = dict.fromkeys(self._tensors, (0.0, 0.0))

    def add(self, batch: Mapping[str, Array]) -> None:
        """Take in real inputs, (samples, *shape)."""
        for name, tensor in self._tensors.items():
            x = batch[name]
            self._outside[name] += int(np.count_nonzero(beyond_range(tensor, x)))
            self._values[name] += x.size
            low, high = self._extremes[name]
            self._extremes[name] = min(low, float(x.min())), max(high, float(x.max()))

    def notes(self) -> tuple[str, ...]:
        """A warning for each input that goes too far."""
        found = []
        for name, tensor in self._tensors.items():
            share = self._outside[name] / max(self._values[name], 1)
            if tensor.quant is None or share <= OUTSIDE_SHARE:
                continue
            (low, high), (least, most) = tensor.quant.real_bounds, self._extremes[name]
            where = f"the calibrated range of {low:.4g} to {high:.4g} (they run from {least:.4g} to {most:.4g})"
            if isinstance(tensor.quant, ChannelQuant):
                where = "the calibrated ranges of their channels"
            found.append(
                f"input '{name}': {100 * share:.1f} % of its values lie outside {where} and are clipped; scale inputs "
                "as for calibration, or calibrate on data like this"
            )
        return tuple(found)


def _quantized(graph: Graph, name: str) -> Tensor:
    """The input as the first layer reads it: behind its conversion, where it comes as floats."""
    tensor = graph.tensors[name]
    readers = [node for node in graph.nodes if name in node.inputs]
    if tensor.quant is not None or len(readers) != 1:
        return tensor
    (reader,), y = readers, graph.tensors[readers[0].output]
    edge = None if y.quant is None else reader.op.edge_quant(graph.layer(reader), y.quant)
    if edge is not None:
        return replace(tensor, dtype=y.dtype, quant=edge)
    return y if reader.op.is_conversion else tensor
