"""Finds the range whose 8-bit quantization errs least over a histogram, for ranges.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Every fraction of the whole range down to 1/1024, where a 2048-bin histogram ends, in steps of a cube root
# of two; then, around the best so far, two finer steps.
_COARSE = 2.0 ** (-np.arange(31) / 3)
_FINE = (2.0 ** (np.arange(-6, 7) / 18), 2.0 ** (np.arange(-4, 5) / 72))
# A narrower range must be better by more than float rounding, so that ties go to the wider one everywhere.
_TIE = 1e-9


def least_error_range(edges: Floats, counts: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """Return the (low', high') within low <= low' <= 0 <= high' <= high that `expected_error` is least for.

    `edges` (n + 1,) and `counts` (n,) are the histogram; low < high. A side that is 0 stays 0. The search is
    joint: both sides shrink together, then each in turn, in ever finer steps.
    """

    def best(lows: Floats, highs: Floats) -> tuple[float, float]:
        lows, highs = np.broadcast_arrays(lows, highs)
        widest_first = np.argsort(lows - highs, kind="stable")
        lows, highs = lows[widest_first], highs[widest_first]
        errors = expected_error(edges, counts, lows, highs)
        k = int(np.argmax(errors <= errors.min() * (1 + _TIE)))
        return float(lows[k]), float(highs[k])

    found = best(low * _COARSE, high * _COARSE)
    for factors in (_COARSE, _COARSE, *_FINE):
        # A coarse step starts from the whole side, a fine one from the best so far.
        if high > 0:
            start = high if factors is _COARSE else found[1]
            found = best(np.array(found[0]), _candidates(start * factors, found[1], high))
        if low < 0:
            start = low if factors is _COARSE else found[0]
            found = best(-_candidates(-start * factors, -found[0], -low), np.array(found[1]))
    return found


def _candidates(values: Floats, current: float, limit: float) -> Floats:
    candidates: Floats = np.minimum(np.append(values, current), limit)
    return candidates


def expected_error(edges: Floats, counts: NDArray[np.int64], lows: Floats, highs: Floats) -> Floats:
    """Return the mean squared error (k,) of quantizing to each range (lows[i], highs[i]), both (k,).

    scale = (high - low) / 255, zero_point = round(-128 - low / scale), levels -128..127, and values evenly
    spread within each bin. With u = value / scale and n(u) the level nearest to it, clamped, the integral of
    (u - n(u))^2 is n/12 + (u - n)^3 / 3, through rounding and clipping alike, so the error is exact under
    that one assumption, however few bins a step covers.
    """
    scales = (highs - lows) / 255
    zero_points = np.rint(-128 - lows / scales)
    u = edges / scales[:, None]
    levels = np.rint(u)
    np.clip(levels, (-128 - zero_points)[:, None], (127 - zero_points)[:, None], out=levels)
    u -= levels
    levels /= 12
    levels += u * u * u / 3
    density = counts / (np.diff(edges) * max(int(counts.sum()), 1))
    error: Floats = np.diff(levels, axis=1) @ density * scales**3
    return error
