"""Add, Sub, pools, reductions and sparse products around every CPU's vectors and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support import Case

from cases.values import bounds, near, windowed
from mcuq.ops.add import Add, Sub
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.lrn import LRN
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.sparse_product import SparseProduct
from mcuq.ops.window import Window


def fixed() -> list[Case]:
    """Elements around four; a pool as large as its image, and of more taps than there are channels."""
    pairs = [(op, n) for n in (1, 3, 4, 5, 8, 9) for op in (Add(), Sub())]
    cases: list[Case] = [(op, [(1, n), (1, n)]) for op, n in pairs]
    return [
        *cases,
        (AveragePool(Window((3, 5))), [(2, 3, 5, 3)]),
        (AveragePool(Window((25, 5), (25, 5))), [(1, 25, 5, 9)]),
    ]


def any_sum(rng: np.random.Generator) -> Case:
    shape = (1, near(rng, 4, 8, 16), int(rng.integers(1, 4)))
    op = (Add, Sub)[rng.integers(2)](**bounds(rng))
    return op, [shape, rng.normal(size=shape).astype(np.float32) if rng.integers(4) == 0 else shape]


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


def any_reduction(rng: np.random.Generator) -> Case:
    """Along one dimension of three, or two."""
    x = (int(rng.integers(1, 4)), near(rng, 1, 4, 8), near(rng, 4, 8, 16))
    axes = ((0,), (1,), (2,), (0, 1), (1, 2))[rng.integers(5)]
    kinds = (ReduceSum, ReduceL1, ReduceL2, ReduceSumSquare, ReduceProd)
    kind = rng.integers(len(kinds) + 1)
    return (ReduceMin(axes) if kind == len(kinds) else kinds[kind](axes, **bounds(rng))), [x]


def any_sparse_product(rng: np.random.Generator) -> Case:
    x = (int(rng.integers(1, 3)), near(rng, 1, 5, 9), near(rng, 1, 4, 8))
    taps = (int(rng.integers(1, 12)), int(rng.integers(1, 6)))
    axis = int(rng.integers(1, 3))
    index = rng.integers(0, x[axis], taps).astype(np.float32)
    return SparseProduct(axis, **bounds(rng)), [x, index, rng.normal(size=taps).astype(np.float32)]


def any_lrn(rng: np.random.Generator) -> Case:
    x = (1, int(rng.integers(1, 4)), int(rng.integers(1, 4)), near(rng, 4, 8))
    op = LRN(int(rng.integers(1, 4)), int(rng.integers(1, 7)), float(rng.uniform(0, 3)), float(rng.uniform(0, 2)))
    return replace(op, **bounds(rng)), [x]


MAKERS = (any_sum, any_average, any_greatest, any_mean, any_reduction, any_lrn, any_sparse_product)
