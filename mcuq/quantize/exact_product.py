"""Matrix products whose sums do not depend on the order and threads of a linear algebra library."""

from __future__ import annotations

from math import ceil, log2

import numpy as np

from mcuq.graph.tensor import Array

# A factor of more bits would leave too few to the other and to the number of terms.
_MOST_BITS = 20


def exact_factor(values: Array, terms: int) -> Array:
    """`values` in multiples of a power of two, at most 2^bits of them; a zero or a value far below the largest is 0.

    The product of two such factors adds up without rounding: with bits = 20, 2^20 * 2^20 * 8192 terms is 2^53.
    Sums of more `terms` leave fewer bits.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return values
    bits = min(_MOST_BITS, (53 - ceil(log2(max(terms, 1)))) // 2)
    unit = 2.0 ** (np.ceil(np.log2(largest)) - bits)
    exact: Array = np.rint(values / unit) * unit
    return exact
