"""FullyConnected: rows, inputs and outputs around every CPU's blocks."""

from __future__ import annotations

from math import inf

import numpy as np
from support import Case

from cases.values import bias, bounds, near, weights
from mcuq.ops.fully_connected import FullyConnected


def dense(
    rng: np.random.Generator, rows: int, inputs: int, outputs: int, limits: tuple[float, float] = (-inf, inf)
) -> Case:
    """A matrix of random weights."""
    op = FullyConnected(minimum=limits[0], maximum=limits[1])
    return op, [(rows, inputs), weights(rng, outputs, inputs), bias(rng, outputs)]


def clamped(rng: np.random.Generator, rows: int, inputs: int, outputs: int) -> Case:
    """The same with random limits."""
    return dense(rng, rows, inputs, outputs, tuple(bounds(rng).values()))


def fixed() -> list[Case]:
    """Outputs around blocks of 2, 4, 8 and 16 in every rest; inputs around blocks of 2, 4, 16 and 32; several rows."""
    rng = np.random.default_rng(3)
    sizes = [(1, 1, 1), (1, 1, 5), (1, 1, 7), (1, 7, 1), (2, 3, 1), (3, 2, 4), (2, 3, 5), (5, 16, 4), (5, 7, 16)]
    sizes += [(1, 9, outputs) for outputs in range(1, 10)]
    sizes += [(rows, inputs, 17) for rows, inputs in ((1, 1), (2, 3), (3, 4), (1, 3), (1, 4), (1, 5), (1, 8), (1, 40))]
    sizes += [(2, 7, outputs) for outputs in (1, 3, 4, 5, 15, 16, 18, 20, 32, 37)]
    sizes += [(1, inputs, outputs) for inputs in (1, 15, 16, 17, 33) for outputs in (1, 2, 3, 4, 5, 8, 9)]
    sizes += [(2, 20, 5), (1, 64, 10), (3, 63, 2), (1, 65, 3)]
    return [clamped(rng, *size) for size in sizes]


def any_dense(rng: np.random.Generator) -> Case:
    """Sizes around the unrolled ones, or any."""
    if rng.integers(2):
        return clamped(rng, int(rng.integers(1, 4)), near(rng, 4, 8, 16, 32, 64, 300), near(rng, 2, 4, 8, 16, 65))
    return clamped(rng, int(rng.choice([1, 1, 2, 3, 4])), int(rng.integers(1, 80)), int(rng.integers(1, 40)))


MAKERS = (any_dense,)
