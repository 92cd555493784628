"""What calibration sees of each channel of each tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize.channels import channel_axes

# Tensors of more channels, flattened images mostly, have one row of magnitudes for every fourth sample.
_MANY_CHANNELS = 1 << 14


@dataclass(frozen=True, eq=False)
class Seen:
    """Of one tensor: largest magnitude (samples, channels), mean square (channels,), whether a value is negative, and
    values per channel of a sample."""

    largest: Array
    square: Array
    signed: bool
    positions: int

    def folded(self, channels: int) -> Seen:
        """Of the same values where channel c is each index that is c modulo `channels`."""
        return replace(
            self,
            largest=self.largest.reshape(len(self.largest), -1, channels).max(axis=1),
            square=self.square.reshape(-1, channels).mean(axis=0),
            positions=self.positions * len(self.square) // channels,
        )

    def times(self, factors: Array) -> Seen:
        """Of the values times a positive factor a channel, which repeat where there are fewer."""
        s = np.tile(factors, len(self.square) // len(factors))
        return replace(self, largest=self.largest * s, square=self.square * s**2)


def see(graph: Graph, samples: Iterable[Mapping[str, Array]]) -> dict[str, Seen]:
    """Run the float graph over the samples; all tensors that are no constants, but scalars."""
    names = [name for name, t in graph.tensors.items() if not t.is_constant and t.shape]
    computed = [name for name in names if name not in graph.inputs]
    model = FloatModel(write_onnx(graph, [*computed, *(o for o in graph.outputs if o not in computed)]))
    largest: dict[str, list[Array]] = {name: [] for name in names}
    axes = channel_axes(graph)
    square = {name: np.zeros(graph.tensors[name].shape[axes[name]]) for name in names}
    lowest = dict.fromkeys(names, 0.0)
    count = 0
    for sample in samples:
        count += 1
        values = {**sample, **model.run(sample, computed)}
        for name in names:
            rows = np.moveaxis(np.asarray(values[name], np.float32), axes[name], -1).reshape(-1, len(square[name]))
            high, low = rows.max(axis=0), rows.min(axis=0)
            reach = np.maximum(high, -low)
            if len(reach) > _MANY_CHANNELS and count > 4:
                np.maximum(largest[name][(count - 1) % 4], reach, out=largest[name][(count - 1) % 4])
            else:
                largest[name].append(reach)
            square[name] += np.einsum("nc,nc->c", rows, rows) / len(rows)
            lowest[name] = min(lowest[name], float(low.min()))
    return {
        name: Seen(
            np.stack(values).astype(np.float64),
            square[name] / count,
            lowest[name] < 0,
            graph.tensors[name].elements // len(square[name]),
        )
        for name, values in largest.items()
    }
