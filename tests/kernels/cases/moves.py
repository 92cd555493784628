"""What moves values: Concat, Pad, Slice, Transpose, Identity."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from support import Case

from mcuq.ops.concat import Concat
from mcuq.ops.identity import Identity
from mcuq.ops.pad import Pad
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose

SLICES = (slice(None), slice(1, None), slice(None, -1), slice(None, None, 2), slice(1, None, 3), slice(None, None, -1))
SLICES += (slice(-2, None, -2), slice(0, 1), slice(-1, None), slice(-1, -2, -1))
SHAPES = ((5,), (4, 3), (2, 5, 7, 3), (1, 6, 4, 2), (3, 3, 3, 3, 3, 3))

TRANSPOSES: list[Case] = [
    (Transpose((0,)), [(5,)]),
    (Transpose((1, 0)), [(5, 3)]),
    (Transpose((1, 0)), [(1, 3)]),
    *((Transpose(perm), [(2, 5, 7, 3)]) for perm in permutations(range(4))),
    (Transpose((0, 3, 1, 2)), [(1, 1, 4, 1)]),
    (Transpose((5, 3, 1, 4, 2, 0)), [(2, 3, 2, 3, 2, 3)]),
    (Transpose((0, 2, 1)), [(3, 1, 4)]),
]


def concats() -> list[Case]:
    """Along each axis, of one to seventeen inputs, with constants before and behind."""
    rng = np.random.default_rng(0)
    return [
        (Concat(0), [(1,), (1,)]),
        (Concat(0), [(3,), (5,), (1,)]),
        (Concat(1), [(1, 7)]),
        (Concat(1), [(2, 7), (2, 1)]),
        (Concat(3), [(1, 5, 3, 2), (1, 5, 3, 1), (1, 5, 3, 4)]),
        (Concat(3), [(2, 5, 3, 2), (2, 5, 3, 3)]),
        (Concat(2), [(2, 5, 3, 2), (2, 5, 1, 2)]),
        (Concat(1), [(2, 5, 3, 2), (2, 1, 3, 2)]),
        (Concat(0), [(2, 5, 3, 2), (1, 5, 3, 2)]),
        (Concat(1), [(2, 3), rng.normal(size=(2, 4)), (2, 1)]),
        (Concat(1), [rng.normal(size=(2, 4)), (2, 3), rng.normal(size=(2, 1))]),
        (Concat(1), [(1, 1, 1)] * 17),
    ]


def shifts() -> list[Case]:
    """Along each axis, of one new place to all of them, rows of whole words and of odd bytes."""
    shapes = ((1, 15, 1, 16), (1, 7, 3, 5), (2, 5, 4, 3), (6, 9), (31,))
    cases: list[Case] = []
    for shape in shapes:
        for axis, size in enumerate(shape):
            for new in sorted({1, 2, size - 1, size} & set(range(1, size + 1))):
                cases.append((ShiftIn(axis), [shape, (*shape[:axis], new, *shape[axis + 1 :])]))
    return cases


def pads(values: tuple[float, ...]) -> list[Case]:
    """Before and behind each dimension, with each of the values in turn."""
    widths = [
        ((1,), (0,), (0,)),
        ((1,), (2,), (3,)),
        ((2, 3), (0, 1), (1, 0)),
        ((1, 5, 7, 3), (0, 1, 1, 0), (0, 1, 1, 0)),
        ((1, 5, 7, 3), (0, 0, 2, 0), (0, 3, 0, 0)),
        ((2, 1, 1, 1), (0, 2, 1, 0), (0, 0, 1, 2)),
        ((2, 3, 2, 2), (1, 1, 1, 1), (2, 2, 2, 2)),
        ((1, 4, 3), (0, 0, 5), (0, 0, 0)),
    ]
    return [
        (Pad(before, after, values[i % len(values)]), [shape])
        for i, (shape, before, after) in enumerate(widths * len(values))
    ]


def random_slices(seed: int, count: int) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """(shape, NumPy's slices of it) that leave something."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        shape = SHAPES[rng.integers(len(SHAPES))]
        slices = tuple(SLICES[rng.integers(len(SLICES))] for _ in shape)
        if all(np.zeros(shape)[slices].shape):
            found.append((shape, slices))
    return found


def as_operator(shape: tuple[int, ...], slices: tuple[slice, ...]) -> Slice:
    ranges = [range(*s.indices(size)) for s, size in zip(slices, shape, strict=True)]
    return Slice(tuple(r.start for r in ranges), tuple(map(len, ranges)), tuple(r.step for r in ranges))


def slices(seed: int, count: int) -> list[Case]:
    """Random starts, ends and steps, also backwards."""
    return [(as_operator(shape, slices), [shape]) for shape, slices in random_slices(seed, count)]


def fixed() -> list[Case]:
    """All of the above; pads by a code, by what is none, and by what is beyond the input's range."""
    return [*concats(), *shifts(), *pads((0.0, -1.7, 40.0)), *slices(0, 30), *TRANSPOSES, (Identity(), [(2, 3)])]


def any_slice(rng: np.random.Generator) -> Case:
    return slices(int(rng.integers(2**31)), 1)[0]


MAKERS = (any_slice,)
