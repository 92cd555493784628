"""The arithmetic of integers that stand for themselves: twins of firmware/kernels/mcuq_integers.h, one by one."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array


def within(x: Array, low: int, high: int) -> Array:
    """int32: x limited to [low, high]."""
    return np.clip(x.astype(np.int32), low, high)


def index_within(index: Array, size: int) -> Array:
    """int32: the place of `index` among `size`: those below 0 count from the back, those beyond are the nearest that
    there is."""
    wide = index.astype(np.int32)
    return within(np.where(wide < 0, wide + size, wide), 0, size - 1)
