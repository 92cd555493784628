"""Arithmetic of layers that stay in float: NumPy twin of firmware/mcuq_float.h.

Every product and every sum is rounded to float32 by itself, in the order stated, so that all CPUs with IEEE 754
arithmetic give the same bits, with a floating-point unit or without. A function here and its namesake there (with the
prefix `mcuq_`) give the same bits.
"""

from __future__ import annotations

import numpy as np

from mcuq.tensor import Array


def float32(value: float) -> float:
    """The nearest float32."""
    return float(np.float32(value))


def quantize_float(x: Array, inverse_scale: float, zero_point: int, output_min: int, output_max: int) -> Array:
    """int32 of float32 `x`: zero_point + floor(x * inverse_scale + 0.5), limited; NaN becomes `output_min`.

    The product and the sum are float32, so that beside halves a result may be the next one.
    """
    low, high = np.float32(output_min - zero_point), np.float32(output_max - zero_point)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.asarray(x, np.float32) * np.float32(inverse_scale)
        limited = np.where(scaled >= low, np.where(scaled <= high, scaled, high), low)
    return np.floor(limited + np.float32(0.5)).astype(np.int32) + np.int32(zero_point)


def dequantize_float(x: Array, scale: float, zero_point: int) -> Array:
    """float32 of integers: (x - zero_point) * scale."""
    return (x.astype(np.int32) - zero_point).astype(np.float32) * np.float32(scale)
