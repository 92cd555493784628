"""Powers of integers by tables: NumPy twin of firmware/kernels/mcuq_powers.h.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.int8 import multiply_high
from mcuq.graph.tensor import Array

_NODES = np.arange(257) / 256
# log2 of 1 to 2 in 2^-24, and 2^0 to 2^1 in 2^-29; linear in between within 2.7e-6 and 1e-6 of themselves.
LOGARITHMS = np.rint(np.log2(1 + _NODES) * 2.0**24).astype(np.int32)
POWERS = np.rint(np.exp2(_NODES) * 2.0**29).astype(np.int32)


@dataclass(frozen=True)
class Powers:
    """a^b of codes: log2(a) + logarithm, in 2^-24, times b is cut by `before` bits; times factor / 2^32 it has
    `fraction_bits`, and with `offset`, in 2^-20, is the logarithm of steps of the output. `whole` is a step of b in
    2^-30."""

    before: int
    logarithm: int
    factor: int
    fraction_bits: int
    offset: int
    whole: int


def integer_power(a: Array, b: Array, by: Powers, zero_point: int, output_min: int, output_max: int) -> Array:
    """int32 of int32 `a`^`b`, of 16 bits at most, which broadcast, by one rounding, halves up; 0^b is the greatest code
    for negative b, and a negative a has the sign of the nearest whole b."""
    a, b = (np.asarray(v, np.int64) for v in np.broadcast_arrays(a, b))
    size = np.maximum(np.abs(a), 1)
    exponent = np.frexp(size.astype(np.float64))[1].astype(np.int64) - 1
    logarithm = (exponent << 24) + by.logarithm + binary_logarithm(size << (31 - exponent))
    product = (b * logarithm) >> by.before
    product = (product * by.factor) >> 32
    shift = by.fraction_bits - 20
    total = product + (by.offset << shift if shift >= 0 else by.offset >> -shift)
    n = total >> by.fraction_bits
    rest = total & ((np.int64(1) << by.fraction_bits) - 1)
    up = 31 - by.fraction_bits
    mantissa = (rest << up if up >= 0 else rest >> -up) | (1 << 31)
    value = binary_power(mantissa)
    down = np.clip(29 - n, 12, 32)
    q = (value + (np.int64(1) << (down - 1))) >> down
    q = np.where((a == 0) & (b != 0), 0, np.where(n < -2, 0, np.where(n > 16, 1 << 17, q)))
    is_odd = ((b * by.whole + (1 << 29)) >> 30) & 1
    q = np.where((a < 0) & (is_odd == 1), -q, q) + zero_point
    q = np.where((a == 0) & (b < 0), output_max, q)
    return np.asarray(np.clip(q, output_min, output_max), np.int32)


def interpolated(table: Array, mantissa: Array) -> Array:
    """int64 at mantissa / 2^31 from 1 to 2, of a table of 257 nodes."""
    index, fraction = (mantissa >> 23) & 255, (mantissa & 0x7FFFFF) << 8
    value: Array = table[index].astype(np.int64) + multiply_high((table[index + 1] - table[index]) * 2, fraction)
    return value


def binary_logarithm(mantissa: Array) -> Array:
    """int64: log2 of mantissa / 2^31, from 1 to 2, in 2^-24."""
    return interpolated(LOGARITHMS, mantissa)


def binary_power(mantissa: Array) -> Array:
    """int64: 2^(mantissa / 2^31 - 1) in 2^-29, for a mantissa from 1 to 2."""
    return interpolated(POWERS, mantissa)
