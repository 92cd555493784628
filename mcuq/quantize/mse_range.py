"""Finds the range whose quantization errs least over a histogram, for ranges.py."""

from __future__ import annotations

import numpy as np

from mcuq.quantize.range_search import Counts, Floats, cheapest_range


def least_error_range(edges: Floats, counts: Counts, low: float, high: float, levels: int) -> tuple[float, float]:
    """Return the (low', high') within low <= low' <= 0 <= high' <= high that `expected_error` is least for.

    `edges` (n + 1,) and `counts` (n,) are the histogram; low < high. A side that is 0 stays 0.
    """
    return cheapest_range(low, high, lambda lows, highs: expected_error(edges, counts, lows, highs, levels))


def expected_error(edges: Floats, counts: Counts, lows: Floats, highs: Floats, levels: int) -> Floats:
    """Return the mean squared error (k,) of quantizing to each range (lows[i], highs[i]), both (k,).

    scale = (high - low) / (levels - 1), zero_point = round(q_min - low / scale), integers q_min = -levels / 2 to
    levels / 2 - 1, and values evenly spread within each bin. With u = value / scale and n(u) the integer nearest
    to it, clamped, the integral of (u - n(u))^2 is n/12 + (u - n)^3 / 3, through rounding and clipping alike, so
    the error is exact under that one assumption, however few bins a step covers.
    """
    q_min, q_max = -(levels // 2), levels // 2 - 1
    scales = (highs - lows) / (levels - 1)
    zero_points = np.rint(q_min - lows / scales)
    u = edges / scales[:, None]
    nearest = np.rint(u)
    np.clip(nearest, (q_min - zero_points)[:, None], (q_max - zero_points)[:, None], out=nearest)
    u -= nearest
    nearest /= 12
    nearest += u * u * u / 3
    density = counts / (np.diff(edges) * max(int(counts.sum()), 1))
    error: Floats = np.diff(nearest, axis=1) @ density * scales**3
    return error
