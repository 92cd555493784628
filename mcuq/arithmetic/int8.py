"""The integer arithmetic: NumPy twin of firmware/kernels/mcuq_math.h, and how its parameters are chosen.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits; nothing else in mcuq
rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp

import numpy as np

from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array

INT32_MAX = 2**31 - 1
MAX_SHIFT = 22  # keeps |zero_point << shift| <= 2^29
MIN_SHIFT = -31
MIN_LONG_SHIFT = -1  # of accumulators beyond int32: their products are added up from parts of 31 bits


@dataclass(frozen=True)
class Requantization:
    """q = zero_point + floor((acc * multiplier + 2^(31+shift)) / 2^(32+shift)), clamped.

    `multiplier` int32, one per channel; `shift` one per layer. Where `shift` < 1 the accumulator is first
    multiplied by 2^`prescale`, so that one high word of a 32x32 product still suffices; where the
    accumulator has no room for that, `prescale` is 0 and the 64-bit form is used.
    """

    multiplier: tuple[int, ...]
    shift: int
    prescale: int


def requantization(factors: Sequence[float], bound: int, where: str) -> Requantization:
    """Express positive real `factors` (input scale * weight scale / output scale) as integers.

    `bound` is the largest magnitude of the accumulator; beyond int32 the result is for `requantize_long`. Raises
    QuantizationError for a factor that no shift can express; `where` begins its text.
    """
    largest = max(factors)
    if not 0 < largest < ldexp(1.0, 30):
        raise QuantizationError(
            f"{where}: requantization factor {largest:g} is outside (0, 2^30); check the calibration data"
        )
    # frexp: largest = f * 2^e with 0.5 <= f < 1, so round(largest * 2^(31-e)) is 2^31 at most.
    shift = min(MAX_SHIFT, -1 - frexp(largest)[1])
    if round(ldexp(largest, 32 + shift)) > INT32_MAX:
        shift -= 1
    if bound > INT32_MAX and shift < MIN_LONG_SHIFT:
        raise QuantizationError(
            f"{where}: requantization factor {largest:g} is outside (0, 1) for an accumulator that can reach {bound}; "
            "check the calibration data"
        )
    multiplier = tuple(round(ldexp(f, 32 + shift)) for f in factors)
    prescale = max(0, 1 - shift)
    if max(bound, 1) << prescale > INT32_MAX:
        return Requantization(multiplier, shift, 0)
    return Requantization(multiplier, shift + prescale, prescale)


def requantize(
    acc: Array, requant: Requantization, zero_point: int, output_min: int = -128, output_max: int = 127
) -> Array:
    """int8 of accumulators (int32 or int64, last axis: channels) by one rounding, halves up."""
    return requantize_s16(acc, requant, zero_point, output_min, output_max).astype(np.int8)


def requantize_s16(acc: Array, requant: Requantization, zero_point: int, output_min: int, output_max: int) -> Array:
    """int32 of accumulators (int32 or int64, last axis: channels), as `requantize`; bounds are of 8 or 16 bits."""
    multiplier = np.asarray(requant.multiplier, np.int64)
    product = acc.astype(np.int64)
    product *= multiplier << requant.prescale
    product += 1 << (31 + requant.shift)
    product >>= 32 + requant.shift
    product += zero_point
    np.clip(product, output_min, output_max, out=product)
    return product.astype(np.int32)


def requantize_shift(acc: Array, shift: Array, zero_point: int, output_min: int = -128, output_max: int = 127) -> Array:
    """int8 of accumulators (int32 or int64, last axis: channels) times 2^-shift, one shift a channel in 1..31, by one
    rounding, halves up: `requantize` where the multipliers are powers of two."""
    rounded = acc.astype(np.int64) + (np.int64(1) << (shift.astype(np.int64) - 1))
    return clamp((rounded >> shift) + zero_point, output_min, output_max)


@dataclass(frozen=True)
class WeightedSum:
    """q = (a * factor_a + b * factor_b + constant) >> shift, clamped; all int32."""

    factor_a: int
    factor_b: int
    constant: int
    shift: int


def weighted_sum_parameters(
    factors: tuple[float, float], zero_points: tuple[int, int], output_zero_point: int, where: str
) -> WeightedSum:
    """Integers for q = zy + fa * (a - za) + fb * (b - zb), as large as int32 allows.

    `factors` are real (input scale / output scale; negative for a subtrahend). Raises QuantizationError where
    even one fractional bit does not fit.
    """
    for shift in range(30, 0, -1):
        a, b = (round(ldexp(f, shift)) for f in factors)
        constant = (output_zero_point << shift) - zero_points[0] * a - zero_points[1] * b + (1 << (shift - 1))
        if 128 * (abs(a) + abs(b)) + abs(constant) <= INT32_MAX:
            return WeightedSum(a, b, constant, shift)
    raise QuantizationError(
        f"{where}: input scales are {abs(factors[0]):g} and {abs(factors[1]):g} times the output's, too far "
        "apart for int32; check the calibration data"
    )


def weighted_sum(a: Array, b: Array, parameters: WeightedSum, output_min: int = -128, output_max: int = 127) -> Array:
    """int8 of a two-term weighted sum of int8 arrays, which broadcast."""
    acc = a.astype(np.int32) * np.int32(parameters.factor_a)
    acc = acc + b.astype(np.int32) * np.int32(parameters.factor_b)
    acc += np.int32(parameters.constant)
    acc >>= parameters.shift
    return clamp(acc, output_min, output_max)


@dataclass(frozen=True)
class WeightedExtreme:
    """q = (the larger or the smaller of a * factor_a + constant_a and b * factor_b + constant_b) >> shift, clamped; all
    int32."""

    factor_a: int
    constant_a: int
    factor_b: int
    constant_b: int
    shift: int

    def terms(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Both operands in units of 2^-shift steps of the output, with the rounding half."""
        first = a.astype(np.int32) * np.int32(self.factor_a) + np.int32(self.constant_a)
        return first, b.astype(np.int32) * np.int32(self.factor_b) + np.int32(self.constant_b)


def weighted_extreme_parameters(
    factors: tuple[float, float], zero_points: tuple[int, int], output_zero_point: int, where: str
) -> WeightedExtreme:
    """Integers for q = zy + the larger or the smaller of fa * (a - za) and fb * (b - zb), as large as int32 allows.

    `factors` are real (input scale / output scale). Raises QuantizationError where even one fractional bit does not
    fit.
    """
    for shift in range(30, 0, -1):
        a, b = (round(ldexp(f, shift)) for f in factors)
        offset = (output_zero_point << shift) + (1 << (shift - 1))
        constants = (offset - zero_points[0] * a, offset - zero_points[1] * b)
        if max(128 * f + abs(c) for f, c in zip((a, b), constants, strict=True)) <= INT32_MAX:
            return WeightedExtreme(a, constants[0], b, constants[1], shift)
    raise QuantizationError(
        f"{where}: input scales are {factors[0]:g} and {factors[1]:g} times the output's, too far apart for int32; "
        "check the calibration data"
    )


def weighted_max(
    a: Array, b: Array, parameters: WeightedExtreme, output_min: int = -128, output_max: int = 127
) -> Array:
    """int8 of the larger of two scaled int8 arrays, which broadcast."""
    return clamp(np.maximum(*parameters.terms(a, b)) >> parameters.shift, output_min, output_max)


def weighted_min(
    a: Array, b: Array, parameters: WeightedExtreme, output_min: int = -128, output_max: int = 127
) -> Array:
    """int8 of the smaller of two scaled int8 arrays, which broadcast."""
    return clamp(np.minimum(*parameters.terms(a, b)) >> parameters.shift, output_min, output_max)


@dataclass(frozen=True)
class Quotient:
    """q = zero_point + floor(a * multiplier / (b * 2^shift) + 1/2), clamped; multiplier / 2^shift is a quotient of 1 in
    steps of the output."""

    multiplier: int
    shift: int


# The largest multiplier: of int8 operands int32 holds 255 times that and a half of 30 bits.
QUOTIENT_LIMITS = {"int8": (INT32_MAX - 2**29) // 255, "int16": INT32_MAX}


def quotient_parameters(factor: float, dtype: str) -> Quotient:
    """Integers for a positive `factor`, as large as they can be.

    One beyond the limit is so large that all quotients but 0 lie outside of the type: it counts as the limit.
    """
    limit = QUOTIENT_LIMITS[dtype]
    for shift in range(30, -1, -1):
        multiplier = round(ldexp(min(factor, 2.0**32), shift))
        if multiplier <= limit:
            return Quotient(multiplier, shift)
    return Quotient(limit, 0)


def quotient(a: Array, b: Array, parameters: Quotient, zero_point: int, output_min: int, output_max: int) -> Array:
    """int8 of int32 `a` / `b`, at most 255, which broadcast, by one rounding, halves up. `a` / 0 is the bound on the
    side of its sign, 0 / 0 is 0."""
    return quotient_s16(a, b, parameters, zero_point, output_min, output_max).astype(np.int8)


def quotient_s16(a: Array, b: Array, parameters: Quotient, zero_point: int, output_min: int, output_max: int) -> Array:
    """int32 of int32 `a` / `b`, at most 2^15, as `quotient`; bounds are of 8 or 16 bits."""
    scaled = a.astype(np.int64) * np.where(b < 0, -parameters.multiplier, parameters.multiplier)
    scaled = scaled // np.maximum(np.abs(b.astype(np.int64)), 1)
    q = ((scaled + ((1 << parameters.shift) >> 1)) >> parameters.shift) + zero_point
    without = np.where(a > 0, output_max, np.where(a < 0, output_min, zero_point))
    return np.clip(np.where(b == 0, without, q), output_min, output_max).astype(np.int32)


def multiply_high(a: Array, b: Array) -> Array:
    """Upper 32 bits of the 64-bit product of int32 arrays, rounded towards minus infinity."""
    return ((a.astype(np.int64) * b.astype(np.int64)) >> 32).astype(np.int32)


def clamp(q: Array, output_min: int, output_max: int) -> Array:
    """int8 of int32 values, limited to [output_min, output_max]."""
    return np.clip(q, output_min, output_max).astype(np.int8)


def lookup(x: Array, table: Array) -> Array:
    """table[x + 128] for int8 `x` and an int8 table of 256 entries."""
    return table[x.astype(np.int16) + 128]
