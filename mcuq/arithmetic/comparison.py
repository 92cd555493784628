"""Comparing a * q with b * p instead of a with b in two scales: small integers that never err."""

from __future__ import annotations

# Scales are rounded: what is this near to a ratio of small integers is meant to be it.
_TOLERANCE = 2.0**-40


def comparable(ratio: float, reach: int) -> tuple[int, int]:
    """(p, q), each at most 2 * reach + 1: for all integers |a|, |b| <= reach, a * ratio is less than, equal to or more
    than b as a * p is than b * q.

    Ratios that b / a can be lie in the Stern-Brocot tree (Graham, Knuth, Patashnik, Concrete Mathematics, 4.5) above
    those of larger terms: `ratio` is one of them, or any other between its two neighbours there is as good.
    """
    low, high = (0, 1), (1, 0)
    while True:
        p, q = low[0] + high[0], low[1] + high[1]
        if p > reach or q > reach or abs(p / q - ratio) <= _TOLERANCE * ratio:
            return p, q
        if p / q < ratio:
            low = (p, q)
        else:
            high = (p, q)
