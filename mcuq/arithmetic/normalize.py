"""The integer arithmetic of normalizations: NumPy twin of firmware/kernels/mcuq_normalize.h, and how its parameters are
chosen.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ldexp

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX, MAX_SHIFT, multiply_high
from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array

MAX_SPAN = 2**30  # of deviations x * count - total
MAX_SUM = 2**62
MAX_PRECISION = 15
OFFSET_MAX = 2**30


@dataclass(frozen=True)
class Normalizer:
    """x -> ((x * factor - offset) modulo 2^32 >> down) * inverse / 2^32; `factor` and `offset` uint32, the others
    int32."""

    factor: Array
    offset: Array
    down: Array
    inverse: Array


@dataclass(frozen=True)
class EpsilonBits:
    """What is added to the variance of deviations: mantissa * 2^shift in units of 4^-precision."""

    mantissa: int
    shift: int
    precision: int

    @property
    def value(self) -> int:
        return self.mantissa << self.shift


def guard_bits(count: int) -> int:
    """The least g with 2^g >= sqrt(count)."""
    return ((count - 1).bit_length() + 1) // 2


def epsilon_bits(epsilon: float, count: int, largest: int, where: str) -> EpsilonBits:
    """Of a real `epsilon` in squared steps of x, for `count` elements whose deviations have at most the mean square
    `largest`; as many fraction bits as 62 leave. Raises QuantizationError for an epsilon beyond all of them."""
    real = epsilon * count * count
    for precision in range(MAX_PRECISION, -31, -1):
        if ldexp(largest + real, 2 * precision) < MAX_SUM - 2:
            value = round(ldexp(real, 2 * precision))
            shift = max(0, value.bit_length() - 31)
            return EpsilonBits(value >> shift, shift, precision)
    raise QuantizationError(
        f"{where}: epsilon is {epsilon:g} times the square of the input's scale; check the calibration data"
    )


@dataclass(frozen=True)
class ScaleAndBias:
    """q = (normalized * multiplier / 2^32 + offset) >> shift, with zero point and rounding in `offset`; int32 each."""

    multiplier: Array
    offset: Array
    shift: int


def scale_and_bias(factors: Array, biases: Array, guard: int, zero_point: int, where: str) -> ScaleAndBias:
    """Integers for real `factors` and `biases` in steps of the output, of any one shape.

    Raises QuantizationError where they do not fit.
    """
    for shift in range(MAX_SHIFT, 0, -1):
        multiplier = np.rint(np.ldexp(factors, 4 + shift + guard))
        offset = np.rint(np.ldexp(biases + (zero_point + 0.5), shift))
        if np.abs(multiplier).max() <= INT32_MAX and np.abs(offset).max() <= OFFSET_MAX:
            return ScaleAndBias(multiplier.astype(np.int32), offset.astype(np.int32), shift)
    raise QuantizationError(
        f"{where}: scale and bias are up to {np.abs(factors).max():g} and {np.abs(biases).max():g} steps of the "
        "output, too large for int32; check the calibration data"
    )


def inverse_square_root(a: Array) -> Array:
    """uint32 of uint32 `a` in [2^30, 2^32): 2^47 / sqrt(a), within 2.5."""
    a = a.astype(np.uint64)
    y = np.uint64(0xFFFFFFFF) - (a >> np.uint64(1)) - (a >> np.uint64(4))
    half = np.uint64(32)
    for _ in range(4):
        near = (a * ((y * y) >> half)) >> half
        y = (y * (np.uint64(0xC0000000) - near)) >> np.uint64(31)
    return y.astype(np.uint32)


def normalizer_of(count: int, total: Array, variance: Array, epsilon: int, precision: int, guard: int) -> Normalizer:
    """For elements x of `count` whose deviations x * count - `total` have `variance` (int64) as the mean of their
    squares, at most 2^60: the parameters of `normalized`, with root = sqrt(variance + epsilon * 4^-precision)."""
    scaled = variance >> (-2 * precision) if precision < 0 else variance << (2 * precision)
    rest = np.maximum(scaled + epsilon, 1)
    room = np.zeros(rest.shape, np.int64)
    for step in (16, 8, 4, 2, 1):
        is_small = rest >> (62 - 2 * step) == 0
        rest = np.where(is_small, rest << (2 * step), rest)
        room += np.where(is_small, step, 0)
    most = precision + room - guard - 1
    up = np.clip(most, 0, 30).astype(np.uint64)
    return Normalizer(
        (np.uint64(count) << up).astype(np.uint32),
        (total.astype(np.uint64) << up).astype(np.uint32),
        np.clip(-most, 0, 31).astype(np.int32),
        (inverse_square_root((rest >> 30).astype(np.uint32)) >> np.uint32(1)).astype(np.int32),
    )


def normalized(x: Array, by: Normalizer) -> Array:
    """int32 of integers x: (x * count - total) / root * 2^(28 - guard); the parameters broadcast."""
    difference = x.astype(np.int64).astype(np.uint32) * by.factor - by.offset
    return multiply_high(difference.astype(np.int32) >> by.down, by.inverse)


def inverse_power(base: Array, first: int, powers: Array, multiplier: Array, shift: Array) -> tuple[Array, Array]:
    """(int64 factor, int64 shift) of int64 `base` from 1 to 2^63: base^-beta * multiplier / 2^(shift + 2) is factor *
    2^-shift; `powers` int32 (257) are those of 1 to 2 in 2^-30, linear in between, multiplier and shift those of each
    power of two from 2^first on."""
    exponent = np.full(base.shape, 62 - first)
    for step in (32, 16, 8, 4, 2, 1):
        is_small = base >> (63 - step) == 0
        base = np.where(is_small, base << step, base)
        exponent = exponent - np.where(is_small, step, 0)
    mantissa = base >> 31
    index, fraction = (mantissa >> 23) & 255, (mantissa & 0x7FFFFF) << 8
    difference = powers[index + 1] - powers[index]
    power = powers[index] + multiply_high(difference * 2, fraction)
    return multiply_high(power, multiplier[exponent]).astype(np.int64), shift[exponent].astype(np.int64)
