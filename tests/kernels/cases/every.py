"""All operators' cases together."""

from __future__ import annotations

import numpy as np
from support import Case

from cases import conv2d, fully_connected, mat_mul, unweighted

WEIGHTED = (conv2d, fully_connected)
OTHERS = (mat_mul, unweighted)
OPERATORS = (*WEIGHTED, *OTHERS)


def fixed(has_vectors: bool = True) -> list[Case]:
    """All operators' sizes; those around vectors all where there are vectors, and an eighth elsewhere."""
    sizes = [case for operator in OPERATORS for case in operator.fixed()]
    return [*sizes, *conv2d.vectors()[:: 1 if has_vectors else 8]]


def drawn_weighted(seed: int, count: int) -> list[Case]:
    """`count` random layers of each kind with weights."""
    rng = np.random.default_rng(seed)
    return [make(rng) for operator in WEIGHTED for make in operator.MAKERS for _ in range(count)]


def drawn(seed: int, count: int) -> list[Case]:
    """The same, and a fifth of it of each other kind."""
    rng = np.random.default_rng([seed, 1])
    return [
        *drawn_weighted(seed, count),
        *(make(rng) for other in OTHERS for make in other.MAKERS for _ in range(-(-count // 5))),
    ]
