"""Normalize: one, some hundreds, and both orders of images; scales of elements, channels, one of all; each clip."""

from __future__ import annotations

import numpy as np
from support import Case

from cases.values import Make
from mcuq.graph.tensor import Shape
from mcuq.ops.normalize import Normalize

EPSILON = 1e-5


def case(op: Normalize, x: Shape, parameters: Shape, seed: int = 0) -> Case:
    """With scales of both signs, and biases."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.2, 2, parameters) * rng.choice([-1, 1], parameters)
    return op, [x, scale.astype(np.float32), rng.normal(size=parameters).astype(np.float32)]


def layer_norm(count: int, rows: int = 3, **attributes: float) -> Case:
    return case(Normalize((1,), EPSILON, **attributes), (rows, count), (1, count), count)


def fixed() -> list[Case]:
    return [
        *(layer_norm(count) for count in (1, 2, 3, 4, 5, 16, 17, 63, 300)),
        layer_norm(20, minimum=0.0),
        layer_norm(21, maximum=0.5),
        case(Normalize((2,), 0.1, centered=False), (1, 4, 24), (1, 1, 24)),
        case(Normalize((1, 2, 3), 0.0), (1, 4, 3, 5), (1, 4, 3, 5)),
        case(Normalize((1, 2), EPSILON), (1, 5, 4, 6), (1, 1, 1, 6)),
        case(Normalize((1, 2), EPSILON), (2, 5, 4, 3), (1, 1, 1, 3)),
        case(Normalize((2, 3), EPSILON), (2, 3, 5, 4), (1, 3, 1, 1)),
        case(Normalize((1, 2, 3), EPSILON, group_axis=3, groups=2), (1, 3, 4, 6), (1, 1, 1, 6)),
        case(Normalize((1, 2, 3), EPSILON, group_axis=1, groups=3), (2, 6, 4, 3), (1, 6, 1, 1)),
        case(Normalize((1, 2, 3), EPSILON, group_axis=3, groups=2), (1, 3, 4, 6), (1, 3, 1, 1)),
        case(Normalize((0, 2), 1.0, centered=False), (3, 2, 4, 2), (1, 1, 1, 1)),
        case(Normalize((1, 3), EPSILON), (1, 3, 4, 2), (1, 3, 1, 2)),
    ]


MAKERS: tuple[Make, ...] = ()
