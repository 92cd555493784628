"""What calibrators choose a range from: what is known of one tensor's values, whoever collected it."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.quantize.range_search import Counts, Floats


@dataclass(frozen=True, eq=False)
class Collected:
    """`low` <= 0 <= `high`: the extremes, zero included; `averaged` the averages of each sample's. `edges` (n + 1,) and
    `counts` (n,) are the histogram of all values, `zeros` of which are 0."""

    low: float
    high: float
    averaged: tuple[float, float]
    edges: Floats
    counts: Counts
    zeros: int
