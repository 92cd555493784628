"""MatMul: rows, taps and columns around every CPU's blocks, both orders of b, and batches that broadcast."""

from __future__ import annotations

import numpy as np
from support import Case

from cases.values import bounds, near
from mcuq.ops.mat_mul import MatMul


def product(
    rng: np.random.Generator,
    sizes: tuple[int, int, int],
    batches: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
    constant: bool = False,
) -> Case:
    """Of rows, taps and columns, in either order of b, of random limits."""
    rows, taps, columns = sizes
    transposed = bool(rng.integers(2))
    b = (*batches[1], columns, taps) if transposed else (*batches[1], taps, columns)
    op = MatMul(transposed=transposed, **bounds(rng))
    return op, [(*batches[0], rows, taps), rng.normal(size=b).astype(np.float32) if constant else b]


def fixed() -> list[Case]:
    """Rows around blocks of 3 and 4, taps around 2, 4, 16 and 64, columns around 2, 4 and 16, and more than are
    packed at a time."""
    rng = np.random.default_rng(17)
    sizes = [(rows, 5, 3) for rows in range(1, 10)] + [(3, taps, 5) for taps in range(1, 10)]
    sizes += [(2, 8, columns) for columns in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33)]
    sizes += [(4, taps, 6) for taps in (15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130, 300)]
    sizes += [(3, 300, 37), (3, 300, 37), (2, 4, 260), (2, 4, 260), (1, 1100, 3)]
    batches = [((3,), (3,)), ((2, 1), (1, 3)), ((2, 3), (2, 1)), ((1,), (4,))]
    return [
        *(product(rng, size) for size in sizes),
        *(product(rng, (3, 6, 5), pair, constant) for pair in batches for constant in (False, True)),
    ]


def any_product(rng: np.random.Generator) -> Case:
    sizes = (near(rng, 3, 4, 8), near(rng, 4, 16, 64, 128), near(rng, 4, 8, 16))
    count = int(rng.integers(1, 4))
    return product(rng, sizes, ((count,), (int(rng.choice([1, count])),)), bool(rng.integers(4) == 0))


MAKERS = (any_product,)
