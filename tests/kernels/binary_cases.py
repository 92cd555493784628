"""Operands that broadcast in every way, for the tests of operators of two inputs."""

from __future__ import annotations

import numpy as np
from cases.values import BOUNDS
from support import Case

from mcuq.ops.binary import Binary

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((1,), (1,)),
    ((7,), (7,)),
    ((1, 5, 3, 4), (1, 5, 3, 4)),
    ((2, 3), (2, 3)),
    ((1, 5, 3, 4), (1, 1, 1, 4)),
    ((1, 5, 3, 4), (1, 5, 3, 1)),
    ((1, 1, 1, 4), (1, 5, 3, 4)),
    ((2, 5, 1, 4), (2, 1, 3, 4)),
    ((2, 1, 3, 1), (1, 5, 1, 4)),
    ((2, 1, 3, 1, 2, 1), (1, 5, 1, 4, 1, 3)),
    ((1, 4, 1), (1, 1, 1)),
]


# Those in which the second alone repeats.
ONTO_THE_FIRST = [(a, b) for a, b in SHAPES if np.broadcast_shapes(a, b) == a]


def binary_cases(
    kinds: list[type[Binary]], seed: int = 0, shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = SHAPES
) -> list[Case]:
    """Each shape with both operands computed, with a constant behind and with a constant in front."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for i, (a, b) in enumerate(shapes):
        low, high = BOUNDS[(i + seed) % len(BOUNDS)]
        for k, inputs in enumerate(([a, b], [a, rng.normal(size=b)], [rng.normal(0.3, 2, size=a), b])):
            cases.append((kinds[(i + k) % len(kinds)](minimum=low, maximum=high), inputs))
    return cases
