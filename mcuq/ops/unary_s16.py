"""Functions of one int16 as straight pieces, short where the function bends."""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.int16 import FRACTION_BITS
from mcuq.graph.tensor import Array

LARGEST_ERROR = 0.75  # steps; rounding alone is half a step
MAX_SHIFT = 8  # a piece is at most one upper byte's


def straight_pieces(exact: Array, bounds: tuple[int, int] = (-32768, 32767)) -> tuple[Array, Array]:
    """The tables of `interpolate`, pieces int32 (256) and values int32, from the outputs for x of -32768 to 32768, in
    steps, float64, which are limited to `bounds`.

    Each upper byte of x has pieces of one length: the longest power of two for which all its results, rounded, are
    within 0.75 steps of the exact ones. Neighbours share the value between them.
    """
    limited = np.clip(exact, *bounds)
    knots = np.rint(limited * 2**FRACTION_BITS).astype(np.int32)
    shifts = np.zeros(256, np.int32)
    for shift in range(1, MAX_SHIFT + 1):
        off = np.abs(straight(knots, shift) - limited[:-1]).reshape(256, 256).max(axis=1)
        # Longer pieces need not be worse everywhere, but must be good to be taken.
        shifts[off <= LARGEST_ERROR] = shift
    return _tables(knots, shifts)


def straight(knots: Array, shift: int) -> Array:
    """What `interpolate` gives for x of -32768 to 32767 where all pieces have 2^shift codes, without a table."""
    low, high = knots[: -1 : 1 << shift, None], knots[1 << shift :: 1 << shift, None]
    fraction = np.arange(1 << shift, dtype=np.int32)
    rounded: Array = (low << shift) + (high - low) * fraction + (1 << (shift + FRACTION_BITS - 1))
    return (rounded >> (shift + FRACTION_BITS)).reshape(-1)


def _tables(knots: Array, shifts: Array) -> tuple[Array, Array]:
    """The tables for pieces of 2^shift codes in each upper byte."""
    counts = 256 >> shifts
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    values = [knots[256 * i : 256 * i + 256 : 1 << shift] for i, shift in enumerate(shifts.tolist())]
    pieces = (first * 16 + shifts).astype(np.int32)
    return pieces, np.concatenate([*values, knots[-1:]])
