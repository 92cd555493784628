"""All operators' cases together."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from support import Case

from cases import (
    binary,
    conv2d,
    fully_connected,
    functions,
    integer_mat_mul,
    mat_mul,
    moves,
    normalize,
    pools,
    recurrent,
    reductions,
    softmax,
)

WEIGHTED = (conv2d, fully_connected)
OPERATORS = (
    *WEIGHTED,
    mat_mul,
    integer_mat_mul,
    pools,
    reductions,
    moves,
    binary,
    functions,
    softmax,
    normalize,
    recurrent,
)


def fixed(operators: Sequence[ModuleType] = OPERATORS, has_vectors: bool = True) -> list[Case]:
    """The operators' sizes; those around vectors all where there are vectors, and an eighth elsewhere."""
    sizes = [case for operator in operators for case in operator.fixed()]
    return [*sizes, *conv2d.vectors()[:: 1 if has_vectors else 8]] if conv2d in operators else sizes


def drawn_weighted(seed: int, count: int) -> list[Case]:
    """`count` random layers of each kind with weights."""
    rng = np.random.default_rng(seed)
    return [make(rng) for operator in WEIGHTED for make in operator.MAKERS for _ in range(count)]


def drawn(seed: int, count: int, operators: Sequence[ModuleType] = OPERATORS) -> list[Case]:
    """The same, half as many of groups, and a fifth of it of each other kind."""
    rng = np.random.default_rng([seed, 1])
    others = [make for operator in operators if operator not in WEIGHTED for make in operator.MAKERS]
    found = [make(rng) for make in conv2d.GROUPED for _ in range(-(-count // 2))]
    return [*drawn_weighted(seed, count), *found, *(make(rng) for make in others for _ in range(-(-count // 5)))]
