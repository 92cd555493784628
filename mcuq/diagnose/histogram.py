"""How values are spread, and the range that their quantization can express."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcuq.graph.tensor import Array

BINS = 32
_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Histogram:
    """`counts` of values in bins of equal width from `low` to `high`; what lies outside [`clip_low`, `clip_high`] is
    clipped. Bounds are those of a whole tensor, the widest channel's for weights."""

    low: float
    high: float
    counts: tuple[int, ...]
    clip_low: float
    clip_high: float

    def bars(self) -> str:
        """One character a bin, its height the share of values on a logarithmic scale, as tails are what matters; a "|"
        stands where values begin and end to be clipped, if that is inside."""
        total = max(sum(self.counts), 1)
        floor = np.log(1 / total) if total > 1 else -1.0
        heights = [0.0 if c == 0 else 1 - np.log(c / total) / floor for c in self.counts]
        steps = [0 if c == 0 else 1 + round(h * (len(_BARS) - 2)) for c, h in zip(self.counts, heights, strict=True)]
        text = "".join(_BARS[step] for step in steps)
        width = (self.high - self.low) / len(self.counts)
        for bound in sorted({self.clip_low, self.clip_high}, reverse=True):
            if width > 0 and self.low + width / 2 < bound < self.high - width / 2:
                place = round((bound - self.low) / width)
                text = f"{text[:place]}|{text[place:]}"
        return text


def histogram_of(values: Array, clip_low: float, clip_high: float) -> Histogram:
    """Of an array of any shape."""
    flat = np.asarray(values, np.float64).reshape(-1)
    counts, edges = np.histogram(flat, bins=BINS)
    return Histogram(float(edges[0]), float(edges[-1]), tuple(counts.tolist()), clip_low, clip_high)


def coarser(edges: NDArray[np.float64], counts: NDArray[np.int64], clip_low: float, clip_high: float) -> Histogram:
    """Of `counts` (n) between `edges` (n + 1), each fine bin counted where its middle lies."""
    middles = (edges[:-1] + edges[1:]) / 2
    found, bounds = np.histogram(middles, bins=BINS, range=(float(edges[0]), float(edges[-1])), weights=counts)
    return Histogram(float(bounds[0]), float(bounds[-1]), tuple(found.astype(int).tolist()), clip_low, clip_high)
