"""Rounds a layer's weights a part at a time, so that memory does not grow with the layer: what rounders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.quantize.second_moments import MOST_COVARIANCES, SecondMoments

# Weights that are worked on at once: 16 MB in float64, of which a rounder has a dozen arrays.
_MOST_WEIGHTS = 2**21

# Of the covariance (groups, n, n) of some taps and the variance (groups, taps) of all: what rounds u (groups, outputs,
# n) = weight / scale.
Rounder = Callable[[Array, Array], Callable[[Array], Array]]


def round_in_parts(
    weight: Array, scale: Array, moments: SecondMoments, order: Array, most_taps: int, rounder: Rounder
) -> Array:
    """int8 levels for weights (groups, outputs, taps) with scales (groups, outputs).

    The first `most_taps` of `order` (groups, taps) are rounded together, then the next; a part's errors are made up for
    by that part alone. Groups and outputs do not depend on one another.
    """
    count, outputs, taps = weight.shape
    q = np.empty(weight.shape, np.int8)
    together = min(taps, most_taps)
    for groups in _slices(count, MOST_COVARIANCES // together**2):
        for start in range(0, taps, most_taps):
            chosen = order[groups, start : start + most_taps]
            rounded = rounder(moments.covariance(groups, chosen), moments.variance[groups])
            index = chosen[:, None, :]
            for rows in _slices(outputs, _MOST_WEIGHTS // chosen.size):
                u = np.take_along_axis(weight[groups, rows], index, axis=2) / scale[groups, rows, None]
                np.put_along_axis(q[groups, rows], np.broadcast_to(index, u.shape), rounded(u), axis=2)
    return q


def _slices(count: int, most: int) -> Iterator[slice]:
    step = max(1, most)
    return (slice(start, start + step) for start in range(0, count, step))
