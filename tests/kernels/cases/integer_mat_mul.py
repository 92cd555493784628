"""IntegerMatMul: rows, taps and columns around every CPU's blocks, operands of each type, either of them constant."""

from __future__ import annotations

import numpy as np
from support import Case, Whole

from cases.values import near
from mcuq.ops.integer_mat_mul import IntegerMatMul

# Of int8, uint8, int16 and int32.
ENDS = ((-128, 127), (0, 255), (-255, 255), (-32768, 32767), (-(2**31), 2**31 - 1))


def product(rng: np.random.Generator, sizes: tuple[int, int, int], batch: tuple[int, ...] = ()) -> Case:
    """Of rows, taps and columns, of random types; a third of each operand constant."""
    rows, taps, columns = sizes
    ends = [ENDS[i] for i in rng.integers(len(ENDS), size=2)]
    shapes = [(*batch, rows, taps), (*batch, taps, columns)]
    operands = [Whole(shape, *both) for shape, both in zip(shapes, ends, strict=True)]
    constant = int(rng.integers(3))
    if constant < 2:
        low, high = ends[constant]
        values = rng.integers(low, high + 1, shapes[constant])
        values.flat[:2] = low, high
        return IntegerMatMul(), [values if i == constant else t for i, t in enumerate(operands)]
    return IntegerMatMul(), list(operands)


def fixed() -> list[Case]:
    """Rows and columns around blocks of 2 and 4, taps around 2, 4 and 16, more columns than are packed at a time."""
    rng = np.random.default_rng(29)
    sizes = [(rows, 5, 3) for rows in (1, 2, 3, 4, 5)] + [(3, 6, columns) for columns in (1, 2, 3, 4, 5, 7, 8, 9)]
    sizes += [(2, taps, 3) for taps in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)]
    sizes += [(2, 130, 21), (3, 130, 21), (5, 300, 37), (21, 130, 2)]
    return [*(product(rng, size) for size in sizes), *(product(rng, (3, 4, 5), batch) for batch in ((1,), (2, 2)))]


def any_product(rng: np.random.Generator) -> Case:
    batch = (int(rng.integers(1, 4)),)
    return product(rng, (near(rng, 2, 4), near(rng, 2, 4, 16, 64), near(rng, 4, 8, 16)), batch)


MAKERS = (any_product,)
