"""Inputs that were quantized before (pixels, features of an int8 front end) keep their own grid, and lose nothing.

A range that fits such data but not its steps rounds every value anew: an error of half a step in the one tensor that
all others depend on. On a grid of at most 256 levels int8 holds each value exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.quantize.calibrate import Range

LEVELS = 256
# Values are float32 and may have been scaled and shifted in float32: some units in the last place of the largest.
_TOLERANCE = 2.0**-20


def input_grid_ranges(graph: Graph, samples: Iterable[Mapping[str, Array]]) -> dict[str, Range]:
    """Ranges of those inputs of the graph whose values all lie on a uniform grid through 0 that int8 can hold.

    A range (low, high) has steps of (high - low) / 255 and low is a whole number of them. Levels to spare are left
    at both ends alike. Other inputs are absent. Memory: 256 values an input.
    """
    seen: dict[str, Array | None] = {name: np.zeros(1, np.float32) for name in graph.given_inputs}
    for sample in samples:
        for name, known in seen.items():
            if known is not None:
                values = np.union1d(known, sample[name])
                seen[name] = values if len(values) <= LEVELS else None
        if all(known is None for known in seen.values()):
            break
    found = {name: _grid_range(values.astype(np.float64)) for name, values in seen.items() if values is not None}
    return {name: span for name, span in found.items() if span is not None}


def _grid_range(values: Array) -> Range | None:
    """The range for sorted distinct values, 0 among them; None where they are on no grid of 256 levels."""
    largest = float(np.abs(values).max())
    # Differences below the tolerance are two roundings of one level.
    gaps = np.diff(values)
    gaps = gaps[gaps > _TOLERANCE * largest]
    if not len(gaps):
        return None
    # The smallest gap is off by the tolerance, so far values may be off by a level: the step is refined outwards.
    step = float(gaps.min())
    for reach in sorted(np.abs(values[values != 0])):
        level = round(reach / step)
        if level < 1 or level >= LEVELS:
            return None
        if abs(reach - level * step) <= _TOLERANCE * largest * 2:
            step = reach / level
    levels = np.rint(values / step)
    if np.abs(values - levels * step).max() > _TOLERANCE * largest:
        return None
    low, high = int(levels.min()), int(levels.max())
    if high - low >= LEVELS:
        return None
    finer = floor((LEVELS - 1) / (high - low))
    step, low, high = step / finer, low * finer, high * finer
    spare = LEVELS - 1 - (high - low)
    # An end at 0 stays: the other gets what there is to spare.
    low -= spare if high == 0 else 0 if low == 0 else spare // 2
    return (low * step, (low + LEVELS - 1) * step)
