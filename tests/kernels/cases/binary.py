"""Operators of two inputs: every way of repeating one, either of them constant, elements around words and vectors."""

from __future__ import annotations

from math import inf

import numpy as np
from binary_cases import ONTO_THE_FIRST, binary_cases
from support import Case

from cases.values import bounds, near
from mcuq.ops.add import Add, Sub
from mcuq.ops.div import Div
from mcuq.ops.extreme import Max, Min
from mcuq.ops.mul import Mul
from mcuq.ops.prelu import PRelu
from mcuq.ops.total import Total


def sums() -> list[Case]:
    """Add, Sub and Total of elements around four and eight."""
    sizes = (1, 3, 4, 5, 8, 9)
    two = [(op, [(1, n), (1, n)]) for n in sizes for op in (Add(), Sub())]
    limited = Total(0.5, minimum=-0.3, maximum=0.4)
    more = [(op, [(1, n)] * count) for n in sizes for op, count in ((Total(), 3), (Total(0.25), 4), (limited, 3))]
    return [*two, *more]


def of_each_kind(seed: int = 0) -> list[Case]:
    """Every operator with operands of every kind."""
    kinds = [binary_cases(operators, seed) for operators in ([Add, Sub], [Mul], [Div], [Max, Min])]
    return [*(case for cases in kinds for case in cases), *slopes(seed)]


def slopes(seed: int = 0) -> list[Case]:
    """PRelu of all shapes; a slope a channel of sizes, signs and zeros of all kinds; both sides clipped."""
    kinds = (
        (0.25, 0.1, 0.02, 0.3),
        (-0.5, 2.0, 0.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),
        (3.0, 3.0, 3.0, 3.0),
        (-1, -2, -3, -4),
    )
    limits = ((-inf, inf), (-0.2, inf), (-inf, 0.7), (-0.1, 0.4), (0.0, inf))
    own = [
        (PRelu(minimum=low, maximum=high), [(1, 3, 5, 4), np.array(kind, np.float32).reshape(1, 1, 1, 4)])
        for kind, (low, high) in zip(kinds, limits, strict=True)
    ]
    return [*binary_cases([PRelu], seed, ONTO_THE_FIRST), *own]


def fixed() -> list[Case]:
    """All of the above."""
    return [*sums(), *of_each_kind()]


def any_sum(rng: np.random.Generator) -> Case:
    shape = (1, near(rng, 4, 8, 16), int(rng.integers(1, 4)))
    op = (Add, Sub)[rng.integers(2)](**bounds(rng))
    return op, [shape, rng.normal(size=shape).astype(np.float32) if rng.integers(4) == 0 else shape]


MAKERS = (any_sum,)
