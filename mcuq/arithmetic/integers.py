"""The arithmetic of integers that stand for themselves: twins of firmware/kernels/mcuq_integers.h, one by one."""

from __future__ import annotations

import numpy as np

from mcuq.graph.tensor import Array


def within(x: Array, low: int, high: int) -> Array:
    """int32: x limited to [low, high]."""
    return np.clip(x.astype(np.int32), low, high)


def index_within(index: Array, size: int) -> Array:
    """int32: the place of `index` among `size`: those below 0 count from the back, those beyond are the nearest that
    there is."""
    wide = index.astype(np.int32)
    return within(np.where(wide < 0, wide + size, wide), 0, size - 1)


def within_long(x: Array, low: int, high: int) -> Array:
    """int32: x, int64, limited to [low, high]."""
    return np.clip(x, low, high).astype(np.int32)


def wrapped_add(a: Array, b: Array) -> Array:
    """int64: a + b as int32 has it, modulo 2^32."""
    return (a.astype(np.int64) + b.astype(np.int64)).astype(np.int32).astype(np.int64)


def wrapped_sub(a: Array, b: Array) -> Array:
    """int64: a - b as int32 has it, modulo 2^32."""
    return (a.astype(np.int64) - b.astype(np.int64)).astype(np.int32).astype(np.int64)


def wrapped_mul(a: Array, b: Array) -> Array:
    """int64: a * b as int32 has it, modulo 2^32."""
    return (a.astype(np.int64) * b.astype(np.int64)).astype(np.int32).astype(np.int64)


def integer_quotient(a: Array, b: Array) -> Array:
    """int64: a / b towards 0, 0 where b is."""
    wide, divisor = a.astype(np.int64), np.where(b == 0, 1, b.astype(np.int64))
    return np.where(b == 0, 0, np.sign(wide) * np.sign(divisor) * (np.abs(wide) // np.abs(divisor)))


def integer_remainder(a: Array, b: Array) -> Array:
    """int64: a - b * (a / b) towards 0, of a's sign; 0 where b is."""
    return np.where(b == 0, 0, a.astype(np.int64) - b.astype(np.int64) * integer_quotient(a, b))


def integer_modulo(a: Array, b: Array) -> Array:
    """int64: the remainder of b's sign, 0 where b is."""
    remainder = integer_remainder(a, b)
    return np.where((remainder != 0) & ((remainder < 0) != (b < 0)), remainder + b.astype(np.int64), remainder)


def truncate(x: Array, multiplier: int, shift: int, low: int, high: int) -> Array:
    """int32: x * multiplier / 2^shift towards 0, limited to [low, high]; |x| < 2^17, the multiplier below 2^31."""
    magnitude = (np.abs(x.astype(np.int64)) * multiplier) >> shift
    return within_long(np.where(x < 0, -magnitude, magnitude), low, high)


def truncate_float(x: Array, low: int, high: int) -> Array:
    """int32: x, float32, towards 0, limited to [low, high]; NaN is 0, or else what of them is next to it."""
    wide = np.nan_to_num(x.astype(np.float64), nan=0.0, posinf=2.0**31, neginf=-(2.0**31))
    return within_long(np.clip(np.trunc(wide), -(2.0**31), 2.0**31 - 1).astype(np.int64), low, high)
