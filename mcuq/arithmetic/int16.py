"""The integer arithmetic of layers that read or write 16 bits: NumPy twin of firmware/kernels/mcuq_s16.h, and how its
parameters are chosen.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits; those that return wider numbers
than 16 bits do so in int32.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ldexp

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX, Requantization, multiply_high
from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array

FRACTION_BITS = 6  # of the values that `interpolate` reads
# What mcuq_requantize_long takes: 2^24 products of int16 and int8, which no network here comes near.
LONG_MAX = 2**46 - 1


def requantize_long(acc: Array, requant: Requantization, zero_point: int, output_min: int, output_max: int) -> Array:
    """int32 of int64 accumulators up to 2^46 (last axis: channels), as `requantize_s16`; shift in -1..22."""
    multiplier = np.asarray(requant.multiplier, np.int64)
    acc = acc.astype(np.int64)
    part = (acc & INT32_MAX) * multiplier
    part += 1 << (31 + requant.shift)
    part >>= 31
    part += (acc >> 31) * multiplier
    part >>= 1 + requant.shift
    part += zero_point
    return np.asarray(np.clip(part, output_min, output_max), np.int32)


@dataclass(frozen=True)
class SumS16:
    """q = (a * factor_a + b * factor_b + 2^(shift-1)) >> shift, clamped; factors int32, the sum int64."""

    factor_a: int
    factor_b: int
    shift: int


def sum_parameters_s16(factors: tuple[float, float], where: str) -> SumS16:
    """Integers for q = fa * a + fb * b, as large as int32 allows; zero points are 0.

    `factors` are real, as those of `weighted_sum_parameters`. Raises QuantizationError where they do not fit.
    """
    for shift in range(30, 0, -1):
        a, b = (round(ldexp(f, shift)) for f in factors)
        if max(abs(a), abs(b)) <= INT32_MAX:
            return SumS16(a, b, shift)
    raise QuantizationError(
        f"{where}: input scales are {abs(factors[0]):g} and {abs(factors[1]):g} times the output's, too far "
        "apart for int32; check the calibration data"
    )


def weighted_sum_s16(a: Array, b: Array, parameters: SumS16, output_min: int, output_max: int) -> Array:
    """int32 of a two-term weighted sum of int16 arrays, which broadcast."""
    acc = a.astype(np.int64) * parameters.factor_a + b.astype(np.int64) * parameters.factor_b
    acc += 1 << (parameters.shift - 1)
    acc >>= parameters.shift
    return np.asarray(np.clip(acc, output_min, output_max), np.int32)


def weighted_max_s16(a: Array, b: Array, parameters: SumS16, output_min: int, output_max: int) -> Array:
    """int32 of the larger of two scaled int16 arrays, which broadcast."""
    acc = np.maximum(a.astype(np.int64) * parameters.factor_a, b.astype(np.int64) * parameters.factor_b)
    acc += 1 << (parameters.shift - 1)
    return np.asarray(np.clip(acc >> parameters.shift, output_min, output_max), np.int32)


def weighted_min_s16(a: Array, b: Array, parameters: SumS16, output_min: int, output_max: int) -> Array:
    """int32 of the smaller of two scaled int16 arrays, which broadcast."""
    acc = np.minimum(a.astype(np.int64) * parameters.factor_a, b.astype(np.int64) * parameters.factor_b)
    acc += 1 << (parameters.shift - 1)
    return np.asarray(np.clip(acc >> parameters.shift, output_min, output_max), np.int32)


def interpolate(x: Array, pieces: Array, values: Array) -> Array:
    """int32 of int16 `x`: a function by straight pieces, with the tables that mcuq.ops.unary_s16 makes."""
    code = x.astype(np.int32) + 32768
    piece = pieces[code >> 8]
    shift = piece & 15
    index = (piece >> 4) + ((code & 255) >> shift)
    fraction = code & ((1 << shift) - 1)
    low, high = values[index], values[index + 1]
    rounded = (low << shift) + (high - low) * fraction + (1 << (shift + FRACTION_BITS - 1))
    return np.asarray(rounded >> (shift + FRACTION_BITS), np.int32)


def exponential_of_tables(distance: Array, coarse: Array, fine: Array) -> Array:
    """int32 of distances in 0..65535: 2^28 * exp(-scale * distance); within 1.3 of it."""
    return multiply_high(coarse[distance >> 8], fine[distance & 255])
