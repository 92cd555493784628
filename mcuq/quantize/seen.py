"""What calibration sees of each channel of each tensor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.quantize.channels import channel_axes
from mcuq.quantize.observe import observe

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

    def is_like(self, other: Seen) -> bool:
        """Whether as many values reach as far in each sample."""
        same = (self.signed, self.positions) == (other.signed, other.positions)
        return same and np.array_equal(self.largest, other.largest)

    def times(self, factors: Array) -> Seen:
        """Of the values times a positive factor a channel, which repeat where there are fewer."""
        s = np.tile(factors, len(self.square) // len(factors))
        return replace(self, largest=self.largest * s, square=self.square * s**2)


def see(graph: Graph, samples: Iterable[Mapping[str, Array]]) -> dict[str, Seen]:
    """Run the float graph over the samples; all tensors that are no constants, but scalars."""
    channels = _Channels(graph)
    observe(graph, samples, [channels])
    return channels.seen()


class _Channels:
    """Observes what Seen has of each tensor."""

    def __init__(self, graph: Graph) -> None:
        self._tensors = {name: t for name, t in graph.tensors.items() if not t.is_constant and t.shape}
        self._axes = channel_axes(graph)
        self._largest: dict[str, list[Array]] = {name: [] for name in self._tensors}
        self._square = {name: np.zeros(t.shape[self._axes[name]]) for name, t in self._tensors.items()}
        self._lowest = dict.fromkeys(self._tensors, 0.0)
        self._count = 0

    @property
    def names(self) -> Collection[str]:
        return self._tensors.keys()

    def add(self, values: Mapping[str, Array]) -> None:
        self._count += 1
        for name, square in self._square.items():
            rows = np.moveaxis(np.asarray(values[name], np.float32), self._axes[name], -1).reshape(-1, len(square))
            high, low = rows.max(axis=0), rows.min(axis=0)
            reach = np.maximum(high, -low)
            largest = self._largest[name]
            if len(reach) > _MANY_CHANNELS and self._count > 4:
                earlier = largest[(self._count - 1) % 4]
                np.maximum(earlier, reach, out=earlier)
            else:
                largest.append(reach)
            square += np.einsum("nc,nc->c", rows, rows) / len(rows)
            self._lowest[name] = min(self._lowest[name], float(low.min()))

    def seen(self) -> dict[str, Seen]:
        return {
            name: Seen(
                np.stack(self._largest[name]).astype(np.float64),
                square / self._count,
                self._lowest[name] < 0,
                self._tensors[name].elements // len(square),
            )
            for name, square in self._square.items()
        }
