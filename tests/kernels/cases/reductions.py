"""Sums, norms, products and extremes along dimensions, LRN and sparse products, around vectors and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support import Case

from cases.values import bounds, near
from mcuq.ops.lrn import LRN
from mcuq.ops.mean import ReduceSum
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.sparse_product import SparseProduct

KINDS = (ReduceSum, ReduceL1, ReduceL2, ReduceLp, ReduceSumSquare, ReduceProd, ReduceMin)
AXES = ((0,), (1,), (2,), (0, 1), (1, 2))


def reduction(rng: np.random.Generator, kind: int, axes: tuple[int, ...]) -> Case:
    """Along some of three dimensions. Sums of squares have no bounds, which would make steps of the output finer than
    those of the squares: integers refuse that."""
    x = (int(rng.integers(1, 4)), near(rng, 1, 4, 8), near(rng, 4, 8, 16))
    op = KINDS[kind]
    return (op(axes) if op in (ReduceMin, ReduceSumSquare) else op(axes, **bounds(rng))), [x]


def fixed() -> list[Case]:
    """Each kind along each choice of dimensions; some of the others."""
    rng = np.random.default_rng(6)
    others = [make(rng) for make in (any_lrn, any_sparse_product) for _ in range(4)]
    return [*(reduction(rng, kind, axes) for kind in range(len(KINDS)) for axes in AXES), *others]


def any_reduction(rng: np.random.Generator) -> Case:
    return reduction(rng, int(rng.integers(len(KINDS))), AXES[rng.integers(len(AXES))])


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


MAKERS = (any_reduction, any_lrn, any_sparse_product)
