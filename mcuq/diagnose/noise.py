"""Signal and quantization noise of one tensor, summed up over samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, log10, sqrt

import numpy as np

from mcuq.graph.tensor import Array


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise): inf where nothing differs, -inf where there is nothing but noise."""
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf


@dataclass
class Noise:
    """Sums over all samples added, in float64; channels are the last dimension's indices."""

    signal: Array = field(default_factory=lambda: np.zeros(0))
    noise: Array = field(default_factory=lambda: np.zeros(0))
    product: float = 0.0
    energy: float = 0.0

    def add(self, want: Array, got: Array) -> None:
        """Add real values (samples, *shape) as they should be and as they are."""
        wanted, gotten = (a.reshape(-1, a.shape[-1] if a.ndim > 1 else 1).astype(np.float64) for a in (want, got))
        if not self.signal.size:
            self.signal, self.noise = np.zeros(wanted.shape[1]), np.zeros(wanted.shape[1])
        self.signal += (wanted**2).sum(axis=0)
        self.noise += ((wanted - gotten) ** 2).sum(axis=0)
        self.product += float((wanted * gotten).sum())
        self.energy += float((gotten**2).sum())

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio of the whole tensor."""
        return decibels(float(self.signal.sum()), float(self.noise.sum()))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the values wanted and gotten; 1.0 where both are 0 throughout."""
        norm = sqrt(float(self.signal.sum()) * self.energy)
        return self.product / norm if norm else float(self.energy == self.signal.sum())

    @property
    def worst_channel(self) -> tuple[int, float]:
        """(index, SQNR in dB) of the channel with the least SQNR; channels that are 0 and stay 0 do not count."""
        ratios = [decibels(float(s), float(n)) for s, n in zip(self.signal, self.noise, strict=True)]
        index = int(np.argmin(ratios))
        return index, ratios[index]
