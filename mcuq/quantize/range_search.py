"""Searches the range that a cost is least for: what mse_range.py and entropy_range.py share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Every fraction of the whole range down to 1/1024, where a 2048-bin histogram ends, in steps of a cube root
# of two; then, around the best so far, two finer steps.
_COARSE = 2.0 ** (-np.arange(31) / 3)
_FINE = (2.0 ** (np.arange(-6, 7) / 18), 2.0 ** (np.arange(-4, 5) / 72))
# A narrower range must be better by more than float rounding, so that ties go to the wider one everywhere.
_TIE = 1e-9


def cheapest_range(low: float, high: float, cost: Callable[[Floats, Floats], Floats]) -> tuple[float, float]:
    """Return the (low', high') within low <= low' <= 0 <= high' <= high that `cost` is least for; low < high.

    `cost(lows, highs)` (k,) is never negative. A side that is 0 stays 0. The search is joint: both sides shrink
    together, then each in turn, in ever finer steps.
    """

    def best(lows: Floats, highs: Floats) -> tuple[float, float]:
        lows, highs = np.broadcast_arrays(lows, highs)
        widest_first = np.argsort(lows - highs, kind="stable")
        lows, highs = lows[widest_first], highs[widest_first]
        costs = cost(lows, highs)
        k = int(np.argmax(costs <= costs.min() * (1 + _TIE)))
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
