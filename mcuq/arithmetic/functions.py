"""Functions of one float beside those of `float32`, for which the same holds: NumPy twin of
firmware/kernels/mcuq_functions.h."""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.float32 import HALF, NAN, ONE, exponential, logarithm, one_nan, reduced_exponential
from mcuq.arithmetic.float_steps import polynomial, power_of_two
from mcuq.graph.tensor import Array

# Subnormal numbers' logarithms are those of 2^24 times as much, less ln(2^24).
LEAST_NORMAL, TINY_SCALE, TINY_LOGARITHM = np.float32(2.0**-126), np.float32(2.0**24), np.float32(16.635532333438686)
# exp(-20) is lost in 1.
LEAST_EXPONENT = np.float32(-20)
# 1 / x is subnormal beyond.
LARGE = np.float32(2.0**126)
# From here on every float is a whole number.
WHOLE = np.float32(2.0**23)

# erf(x) = x + x * polynomial in x^2, within 1.8e-8 of itself for |x| < ERF_SMALL; erfc(x) = t * exp(polynomial in t -
# x^2), t = 1 / (1 + x / 2), within 8.6e-9 of itself for 0.8 <= x <= 10.2. All polynomials here are least-squares fits,
# weighted until they are minimax. For the form of erfc: Press et al., Numerical Recipes, section 6.2.
ERF_SMALL = np.float32(0.921875)
ERF_COEFFICIENTS = tuple(
    map(np.float32, (-0.000595366582, 0.00498592528, -0.0267617088, 0.112816826, -0.376124799, 0.128379151))
)
ERFC_LEAST, ERFC_GREATEST = np.float32(0.8), np.float32(16)
ERFC_COEFFICIENTS = tuple(
    map(
        np.float32,
        (
            *(-0.190194413, 0.479278624, -0.219040573, -0.245295659, 0.0114788618),
            *(0.0471249558, 0.382125884, 0.999268532, -1.26548135),
        ),
    )
)

# sin(r) = r + r^3 * polynomial in r^2, within 3.9e-9 of itself for |r| <= pi / 4, and cos(r) = 1 - r^2 / 2 + r^4 *
# polynomial in r^2, within 1.2e-10.
SINE_COEFFICIENTS = tuple(map(np.float32, (-0.000195146102, 0.00833215564, -0.166666552)))
COSINE_COEFFICIENTS = tuple(map(np.float32, (2.44323946e-05, -0.00138873095, 0.0416666456)))
# atan(t) = t + t^3 * polynomial in t^2, within 2.1e-8 of itself for |t| <= tan(pi / 8); others are that of another t
# and pi / 4 or pi / 2, of which a float has most and a second one the rest.
ARCTANGENT_COEFFICIENTS = tuple(map(np.float32, (0.0805120021, -0.138769522, 0.199776486, -0.333329469)))
TAN_EIGHTH_PI, TAN_THREE_EIGHTHS_PI = np.float32(0.414213568), np.float32(2.41421366)
QUARTER_PI, QUARTER_PI_REST = np.float32(0.785398185), np.float32(-2.18556941e-8)
HALF_PI, HALF_PI_REST = np.float32(1.57079637), np.float32(-4.37113883e-8)
# 2 / pi in bits behind 32 zeros; pi / 4 as bits of a float; pi / 2 in units of 2^-62.
TWO_OVER_PI = np.array(
    [0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB], np.uint32
)
QUARTER_PI_BITS = 0x3F490FDB
INFINITY_BITS = 0x7F800000
ANGLE_UNIT = np.float32(3.4061217e-19)


def exponential_minus_one(x: Array) -> Array:
    """exp(x) - 1 for x <= 0, at most 1.6 units in the last place off; 0 for greater x."""
    limited = np.where(x >= LEAST_EXPONENT, np.where(x <= 0, x, np.float32(0)), LEAST_EXPONENT)
    less, n = reduced_exponential(limited)
    power = power_of_two(n)
    y = less * power + (power - ONE)
    return one_nan(np.where(np.isnan(x), x, y))


def square_root(x: Array) -> Array:
    """sqrt(x), rounded to nearest as IEEE 754 has it; NaN for negative x."""
    with np.errstate(invalid="ignore"):
        return one_nan(np.sqrt(x))


def reciprocal(x: Array) -> Array:
    """1 / x, rounded to nearest; beyond 2^126, where it is subnormal, a quarter of that of x / 4."""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        small = (ONE / (x * np.float32(0.25))) * np.float32(0.25)
        return one_nan(np.where(np.abs(x) > LARGE, small, ONE / x))


def round_half_even(x: Array) -> Array:
    """The nearest whole number, ties to even."""
    size = np.where(x < 0, -x, x)
    with np.errstate(invalid="ignore"):
        rounded = (size + WHOLE) - WHOLE
    return one_nan(np.where(size < WHOLE, np.where(x < 0, -rounded, rounded), x))


def round_down(x: Array) -> Array:
    """The greatest whole number that is not above x."""
    nearest = round_half_even(x)
    return np.where(nearest > x, nearest - ONE, nearest)


def round_up(x: Array) -> Array:
    """The least whole number that is not below x."""
    nearest = round_half_even(x)
    return np.where(nearest < x, nearest + ONE, nearest)


def complementary_error(x: Array) -> Array:
    """erfc(x) for x >= 0.8, at most 3 units in the last place off where it is no less than 2^-126; that of 0.8 for
    less.

    What rounding takes from the exponent, which is as large as 90, is made good: its parts are summed exactly.
    """
    size = np.where(x > ERFC_LEAST, np.where(x < ERFC_GREATEST, x, ERFC_GREATEST), ERFC_LEAST)
    t = ONE / (ONE + size * HALF)
    p = polynomial(t, ERFC_COEFFICIENTS)
    square = size * size
    exponent = p - square
    high = (size.view(np.uint32) & np.uint32(0xFFFFF000)).view(np.float32)
    low = size - high
    cross = high * low
    rest = (high * high - square) + (cross + cross) + low * low
    rest = (p - (exponent + square)) - rest
    e = exponential(exponent)
    with np.errstate(under="ignore"):
        y = t * (e + e * rest)
    return one_nan(np.where(np.isnan(x), x, y))


def error_function(x: Array) -> Array:
    """erf(x): near 0 a polynomial, elsewhere 1 - erfc(|x|) and the sign of x. 2 units in the last place off at most."""
    size = np.where(x < 0, -x, x)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        near = polynomial(x * x, ERF_COEFFICIENTS) * x + x
    far = ONE - complementary_error(size)
    return one_nan(np.where(size < ERF_SMALL, near, np.where(x < 0, -far, far)))


def reduced_angle(x: Array) -> tuple[Array, Array]:
    """(|x| less the nearest multiple of pi / 2, which one that is as int32, modulo 4), for every float.

    |x| = m * 2^e with m < 2^24: of the bits of 2 / pi, 96 take part, those whose products with |x| are less than 4 and
    no less than 2^-94. Two bits of the sum are the multiple, the others a fraction in 2^-62. At most 1.5 units in the
    last place off: no float is nearer to a multiple of pi / 2 than 2^-31 of it.
    """
    size = x.view(np.uint32) & np.uint32(0x7FFFFFFF)
    is_reduced = (size >= QUARTER_PI_BITS) & (size < INFINITY_BITS)
    taken = np.where(is_reduced, size, np.uint32(QUARTER_PI_BITS))
    m = (taken & np.uint32(0x7FFFFF)) | np.uint32(0x800000)
    first = (taken >> np.uint32(23)).astype(np.int32) - 120
    shift = (first & 31).astype(np.uint64)
    words = [TWO_OVER_PI[(first >> 5) + i].astype(np.uint64) for i in range(4)]
    low = np.uint64(0xFFFFFFFF)
    part = [((words[i] << shift) | (words[i + 1] >> (np.uint64(32) - shift))) & low for i in range(3)]
    whole = m.astype(np.uint64)
    phase = ((whole * part[0]) & low) << np.uint64(32)
    phase = phase + whole * part[1]
    phase = phase + ((whole * part[2]) >> np.uint64(32))
    nearest = (phase + np.uint64(1 << 61)) >> np.uint64(62)
    phase = (phase - (nearest << np.uint64(62))).view(np.int64)
    fraction = np.where(phase < 0, -(-phase).astype(np.float32), phase.astype(np.float32))
    reduced = np.where(is_reduced, fraction * ANGLE_UNIT, size.view(np.float32))
    multiple = np.where(is_reduced, nearest, np.uint64(0)).astype(np.int32)
    return np.where(size >= INFINITY_BITS, NAN, reduced), multiple


def near_sine(r: Array) -> Array:
    """sin(r) for |r| <= pi / 4."""
    z = r * r
    y: Array = polynomial(z, SINE_COEFFICIENTS) * z * r + r
    return y


def near_cosine(r: Array) -> Array:
    """cos(r) for |r| <= pi / 4."""
    z = r * r
    y: Array = polynomial(z, COSINE_COEFFICIENTS) * z * z - z * HALF + ONE
    return y


def sine(x: Array) -> Array:
    """sin(x), at most 3 units in the last place off, however large x is."""
    r, multiple = reduced_angle(x)
    with np.errstate(under="ignore"):
        y = np.where(multiple & 1, near_cosine(r), near_sine(r))
    y = np.where(multiple & 2, -y, y)
    return one_nan(np.where(x < 0, -y, y))


def cosine(x: Array) -> Array:
    """cos(x), at most 3 units in the last place off, however large x is."""
    r, multiple = reduced_angle(x)
    with np.errstate(under="ignore"):
        y = np.where(multiple & 1, near_sine(r), near_cosine(r))
    return one_nan(np.where((multiple + 1) & 2, -y, y))


def arctangent(x: Array) -> Array:
    """atan(x), at most 2.5 units in the last place off."""
    size = np.where(x < 0, -x, x)
    is_far, is_between = size > TAN_THREE_EIGHTHS_PI, size > TAN_EIGHTH_PI
    with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
        between = (size - ONE) / (size + ONE)
        t = np.where(is_far, -ONE / size, np.where(is_between, between, size))
        z = t * t
        y = polynomial(z, ARCTANGENT_COEFFICIENTS) * z * t + t
    whole = np.where(is_far, HALF_PI, np.where(is_between, QUARTER_PI, np.float32(0)))
    rest = np.where(is_far, HALF_PI_REST, np.where(is_between, QUARTER_PI_REST, np.float32(0)))
    y = (y + rest) + whole
    return one_nan(np.where(x < 0, -y, y))


def power(x: Array, y: Array) -> Array:
    """x^y: exp(y * ln |x|), with the sign of x where y is odd; NaN for negative x where y is not whole. At most
    5 + 2 |y ln x| units in the last place off."""
    size = np.where(x < 0, -x, x)
    with np.errstate(all="ignore"):
        is_tiny = size < LEAST_NORMAL
        found = logarithm(np.where(is_tiny, size * TINY_SCALE, size)) - np.where(is_tiny, TINY_LOGARITHM, np.float32(0))
        found = np.where(size > 0, found, size - np.float32(np.inf))
        exponent = np.where(size == ONE, np.float32(0), y * found)
        value = exponential(exponent)
        half = y * HALF
    is_whole, is_odd = round_half_even(y) == y, round_half_even(half) != half
    value = np.where(x < 0, np.where(is_whole, np.where(is_odd, -value, value), NAN), value)
    return one_nan(np.where((y == 0) | (x == ONE), ONE, value))


def remainder(x: Array, y: Array) -> Array:
    """x less the multiple of y that is next to it towards 0: exact, with the sign of x; NaN where y is 0 or x
    infinite."""
    with np.errstate(invalid="ignore", under="ignore"):
        return one_nan(np.fmod(x, y))
