"""The integer arithmetic of reductions: NumPy twin of firmware/kernels/mcuq_reduce.h.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.tensor import Array


def integer_root(a: Array) -> Array:
    """int32 of int64 `a` below 2^62: the largest integer whose square is not above it."""
    root = np.sqrt(a.astype(np.float64)).astype(np.int64)
    # A float64's root is off by less than one.
    root = np.where(root * root > a, root - 1, root)
    root = np.where((root + 1) * (root + 1) <= a, root + 1, root)
    return root.astype(np.int32)


def integer_power_root(a: Array, power: int) -> Array:
    """int32 of int64 `a` below 2^(power * (64 // power)), not negative: the largest integer whose power, of 3 to 32, is
    not above it."""
    wanted = a.astype(np.uint64)
    root = np.zeros(a.shape, np.uint64)
    for bit in range(64 // power - 1, -1, -1):
        candidate = root | np.uint64(1 << bit)
        root = np.where(candidate**power <= wanted, candidate, root)
    return root.astype(np.int32)


@dataclass(frozen=True)
class PowerOfTwo:
    """multiplier / 2^31 * 2^exponent, multiplier from 2^30 to 2^31."""

    multiplier: int
    exponent: int


def power_of_two(exponent: float) -> PowerOfTwo:
    """2^exponent, for any number."""
    whole = floor(exponent) + 1
    multiplier = round(2.0 ** (exponent - whole + 31))
    return PowerOfTwo(multiplier, whole) if multiplier <= INT32_MAX else PowerOfTwo(2**30, whole + 1)


def product_with(mantissa: Array, exponent: Array, factor: Array) -> tuple[Array, Array]:
    """(int32 mantissa, int32 exponent) of mantissa / 2^30 * 2^exponent times an int32 factor of at most 17 bits and
    sign: the mantissa is 0, or has a magnitude from 2^30 to 2^31."""
    product = mantissa.astype(np.int64) * factor
    exponent = exponent.copy()
    for _ in range(17):
        is_large = (product > INT32_MAX) | (product < -INT32_MAX - 1)
        product = np.where(is_large, product >> 1, product)
        exponent = exponent + is_large
    return product.astype(np.int32), exponent.astype(np.int32)


def product_value(
    mantissa: Array, exponent: Array, by: PowerOfTwo, zero_point: int, output_min: int, output_max: int
) -> Array:
    """int32 of a product times `by`, by one rounding, halves up."""
    product = mantissa.astype(np.int64) * by.multiplier
    shift = 61 - exponent.astype(np.int64) - by.exponent
    within = np.clip(shift, 40, 62)
    q = np.where(shift > 62, 0, (product + (np.int64(1) << (within - 1))) >> within)
    q = np.where(shift < 40, np.sign(product) << 20, q)
    return np.asarray(np.clip(q + zero_point, output_min, output_max), np.int32)
