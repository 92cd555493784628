"""Finds the range of the central values of a histogram, as onnxruntime's asymmetric percentile calibration does."""

from __future__ import annotations

import numpy as np

from mcuq.quantize.range_search import Counts, Floats


def central_range(edges: Floats, counts: Counts, percentile: float) -> tuple[float, float]:
    """Return (low, high) of the central `percentile` percent: half of the others are dropped at each end.

    `edges` (n + 1,) and `counts` (n,) are the histogram; values are taken as evenly spread within a bin.
    """
    dropped = (100 - percentile) / 200
    return _quantile(edges, counts, dropped), -_quantile(-edges[::-1], counts[::-1], dropped)


def _quantile(edges: Floats, counts: Counts, fraction: float) -> float:
    """Return the value below which `fraction` of all counts lie."""
    below = np.concatenate([[0], np.cumsum(counts)])
    wanted = fraction * below[-1]
    k = min(max(int(np.searchsorted(below, wanted, side="right")) - 1, 0), counts.size - 1)
    within = (wanted - below[k]) / counts[k] if counts[k] else 0.0
    return float(edges[k] + (edges[k + 1] - edges[k]) * within)
