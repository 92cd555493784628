"""MaxPool, AveragePool and Mean: every kind of window and of axes, around every CPU's vectors and words."""

from __future__ import annotations

from math import inf

import numpy as np
from support import Case
from windows import random_window, window_cases

from cases.values import bounds, near, windowed
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.window import Window

# None, one end, and both ends inside of what averages of small numbers reach.
BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (-0.3, 0.7))

MEANS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1,), (0,)),
    ((7,), (0,)),
    ((1, 1, 1, 3), (1, 2)),
    ((1, 5, 7, 3), (1, 2)),
    ((2, 5, 7, 3), (1, 2)),
    ((2, 5, 7, 3), (3,)),
    ((2, 5, 7, 3), (0,)),
    ((2, 5, 7, 3), (0, 1, 2, 3)),
    ((2, 5, 7, 3), (2, 3)),
    ((2, 5, 1, 3), (1, 3)),  # neighbours, as what lies between has one element
    ((1, 5, 7, 1), (0, 3)),
    ((3, 40, 31, 2), (1, 2)),
    ((4, 3), (1,)),
    ((4, 3), ()),
]


def max_pools(seed: int = 0, count: int = 0) -> list[Case]:
    """Each kind of window, and random ones up to `count`."""
    rng = np.random.default_rng(seed)
    found: list[Case] = [(MaxPool(window), [x]) for x, window in window_cases()]
    found.append((MaxPool(Window((2, 3), dilations=(3, 2), pads=(0, 1, 1, 0))), [(1, 8, 7, 2)]))
    while len(found) < count:
        x, window = random_window(rng, dilated=True)
        found.append((MaxPool(window), [x]))
    return found


def average_pools(seed: int = 0, count: int = 0) -> list[Case]:
    """Each kind of window, and random ones up to `count`; where there is padding, counted and not."""
    rng = np.random.default_rng(seed)
    windows = window_cases()
    while len(windows) < count:
        windows.append(random_window(rng))
    return [
        (AveragePool(window, include, minimum=low, maximum=high), [x])
        for i, (x, window) in enumerate(windows)
        for low, high in [BOUNDS[i % len(BOUNDS)]]
        for include in ((False, True) if any(window.pads) else (False,))
    ]


def means(seed: int = 0) -> list[Case]:
    """Over each kind of axes."""
    return [
        (Mean(axes, minimum=low, maximum=high), [shape])
        for i, (shape, axes) in enumerate(MEANS)
        for low, high in [BOUNDS[(i + seed) % len(BOUNDS)]]
    ]


def fixed() -> list[Case]:
    """All of the above, a pool as large as its image, and one of more taps than there are channels."""
    large: list[Case] = [
        (AveragePool(Window((3, 5))), [(2, 3, 5, 3)]),
        (AveragePool(Window((25, 5), (25, 5))), [(1, 25, 5, 9)]),
    ]
    return [*max_pools(), *average_pools(), *means(), *large]


def _pooled(rng: np.random.Generator, dilated: bool) -> tuple[Window, tuple[int, ...]]:
    """A window whose pads are below the kernel, and an image that no dilated window steps over."""
    while True:
        window, height, width = windowed(rng, 8, dilated)
        if max(window.pads) < min(window.kernel) and window.dilations[0] <= height and window.dilations[1] <= width:
            break
    return window, (int(rng.choice([1, 1, 2])), height, width, near(rng, 4, 8))


def any_average(rng: np.random.Generator) -> Case:
    window, x = _pooled(rng, bool(rng.integers(2)))
    return AveragePool(window, bool(rng.integers(2)), **bounds(rng)), [x]


def any_greatest(rng: np.random.Generator) -> Case:
    window, x = _pooled(rng, True)
    return MaxPool(window), [x]


def any_mean(rng: np.random.Generator) -> Case:
    x = (int(rng.integers(1, 3)), int(rng.integers(1, 8)), int(rng.choice([1, 5, 40])), near(rng, 4, 8))
    return Mean((1, 2), **bounds(rng)), [x]


MAKERS = (any_average, any_greatest, any_mean)
