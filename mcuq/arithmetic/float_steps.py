"""Steps of functions of floats, which their C writes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuq.graph.tensor import Array


def polynomial(x: Array, coefficients: Sequence[np.float32]) -> Array:
    """float32, by Horner's rule; the coefficient of the highest power is first."""
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y


def power_of_two(exponent: Array) -> Array:
    """2^exponent for -126 <= exponent <= 127."""
    return ((exponent + 127) << 23).astype(np.int32).view(np.float32)
