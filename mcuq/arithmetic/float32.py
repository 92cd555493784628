"""Arithmetic of layers that stay in float: NumPy twin of firmware/kernels/mcuq_float.h.

Every product, sum and quotient is rounded to float32 by itself, to nearest, ties to even, in the order stated, so that
all CPUs with IEEE 754 arithmetic give the same bits, with a floating-point unit or without. Subnormal numbers are
numbers like all others. Which NaN an operation gives is not the same everywhere: functions whose result is a layer's
give just one, by `one_nan`. A function here and its namesake there (with the prefix `mcuq_`) give the same bits.

No quotient is subnormal (the software division of some compilers' libraries gives 0 there): divisors are from
[2^-107, 2^120] and dividends 1, but for `float_quotient`, which makes them 0.
"""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.float_steps import polynomial, power_of_two
from mcuq.graph.tensor import Array

ONE = np.float32(1)
HALF = np.float32(0.5)
NAN = np.uint32(0x7FC00000).view(np.float32)
INFINITY = np.float32(np.inf)

# exp(x) = 2^n * exp(r), n = round(x / ln 2), r = x - n * ln 2 in two parts, of which n times the first is exact.
EXP_LOW, EXP_HIGH = np.float32(-87.33654), np.float32(88.72283)  # 2^-126 and 2^128
LOG2_E = np.float32(1.442695041)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# exp(r) = 1 + r + r^2 * polynomial, within 3.2e-9 for |r| <= ln(2) / 2: a weighted least-squares fit made minimax.
EXP_COEFFICIENTS = tuple(map(np.float32, (1.3950491e-3, 8.3688894e-3, 4.1666206e-2, 0.16666519, 0.5)))

# ln(x) = n * ln 2 + ln(1 + f), 1 + f in [sqrt(1/2), sqrt(2)), the bits of whose lower end these are;
# ln(1 + f) = f - f^2 / 2 + f^3 * polynomial, within 5.9e-9 of itself, fitted likewise.
SMALLEST_NORMAL = np.float32(2.0**-126)
SQRT_HALF_BITS = 0x3F3504F3
LOG_COEFFICIENTS = tuple(
    map(
        np.float32,
        (-0.0763443112, 0.127615511, -0.131601945, 0.142017618, -0.166233569, 0.200012267, -0.250008225, 0.333333313),
    )
)

# tanh(x) = x + x^3 * polynomial in x^2, within 4.2e-9 of x for |x| < TANH_SMALL, fitted likewise.
TANH_SMALL = np.float32(0.625)
TANH_COEFFICIENTS = tuple(map(np.float32, (-5.7094959e-3, 2.0644135e-2, -5.3741622e-2, 0.1333147, -0.33333283)))

# A dynamic range: values beyond 2^126 count as that, so that no difference overflows, and spans below 2^-100 as none.
LARGEST_VALUE, SMALLEST_SPAN = np.float32(2.0**126), np.float32(2.0**-100)
RECIPROCAL_OF_LEVELS = np.float32(1 / 255)


def float32(value: float) -> float:
    """The nearest float32."""
    return float(np.float32(value))


def quantize_float(x: Array, inverse_scale: float | Array, zero_point: int | Array, low: int, high: int) -> Array:
    """int32 of float32 `x`: zero_point + floor(x * inverse_scale + 0.5), limited to [low, high]; NaN becomes `low`.

    The product and the sum are float32, so that beside halves a result may be the next one. `inverse_scale` and
    `zero_point` broadcast.
    """
    lowest, highest = (np.asarray(bound - np.asarray(zero_point), np.float32) for bound in (low, high))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        scaled = np.asarray(x, np.float32) * np.asarray(inverse_scale, np.float32)
        limited = np.where(scaled >= lowest, np.where(scaled <= highest, scaled, highest), lowest)
    return np.floor(limited + HALF).astype(np.int32) + np.asarray(zero_point, np.int32)


def dequantize_float(x: Array, scale: float, zero_point: int) -> Array:
    """float32 of integers: (x - zero_point) * scale."""
    return (x.astype(np.int32) - zero_point).astype(np.float32) * np.float32(scale)


def half_to_float(x: Array) -> Array:
    """float32 of float16 numbers, given as their bits in uint16: exact, subnormal ones too."""
    return x.view(np.float16).astype(np.float32)


def one_nan(x: Array) -> Array:
    """`x`, with the quiet NaN of positive sign and no payload for every NaN."""
    return np.where(np.isnan(x), NAN, x)


def clamp_float(x: Array, minimum: float, maximum: float) -> Array:
    """`x` limited to [minimum, maximum]; NaN stays NaN, of one kind. -0.0 stays where a bound is 0."""
    low, high = np.float32(minimum), np.float32(maximum)
    raised = np.where(x < low, low, x)
    return one_nan(np.where(raised > high, high, raised))


def maximum(a: Array, b: Array) -> Array:
    """The larger of both; NaN where one is. Of zeros that differ in sign, `b`."""
    return np.where((a > b) | np.isnan(a), a, b)


def minimum(a: Array, b: Array) -> Array:
    """The smaller of both; NaN where one is. Of zeros that differ in sign, `b`."""
    return np.where((a < b) | np.isnan(a), a, b)


def float_quotient(a: Array, b: Array) -> Array:
    """a / b; what is no larger than 2^-126 is 0 of its sign."""
    with np.errstate(all="ignore"):
        q = a / b
        return np.where(np.abs(q) <= SMALLEST_NORMAL, q * np.float32(0), q)


def reduced_exponential(x: Array) -> tuple[Array, Array]:
    """(exp(r) - 1, n int32) with exp(x) = 2^n * exp(r), n = round(x / ln 2), for -126 <= n <= 128."""
    n = np.floor(x * LOG2_E + HALF)
    r = x - n * LN2_HIGH
    r = r - n * LN2_LOW
    return r * r * polynomial(r, EXP_COEFFICIENTS) + r, n.astype(np.int32)


def exponential(x: Array) -> Array:
    """exp(x), at most 1.2 units in the last place off; 0 below ln(2^-126), infinity above ln(2^128)."""
    limited = np.where(x >= EXP_LOW, np.where(x <= EXP_HIGH, x, EXP_HIGH), EXP_LOW)
    less, n = reduced_exponential(limited)
    y = less + ONE
    with np.errstate(over="ignore", under="ignore"):
        y = y * power_of_two(n >> 1) * power_of_two(n - (n >> 1))
    y = np.where(x < EXP_LOW, np.float32(0), np.where(x > EXP_HIGH, INFINITY, y))
    return one_nan(np.where(np.isnan(x), x, y))


def logarithm(x: Array) -> Array:
    """ln(x), at most 0.9 units in the last place off; that of 2^-126 for all that is less, negative numbers too."""
    limited = np.where(x > SMALLEST_NORMAL, x, SMALLEST_NORMAL)
    n = (limited.view(np.int32) - SQRT_HALF_BITS) >> 23
    f = (limited.view(np.int32) - (n << 23)).view(np.float32) - ONE
    p = polynomial(f, LOG_COEFFICIENTS)
    whole, square = n.astype(np.float32), f * f
    with np.errstate(invalid="ignore"):
        y = square * f * p + whole * LN2_LOW
        y = y - square * HALF + f + whole * LN2_HIGH
    y = np.where(limited == INFINITY, INFINITY, y)
    return one_nan(np.where(np.isnan(x), x, y))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e) with e = exp(-|x|), for negative x times e. At most 3 units in the last place off."""
    e = exponential(-np.abs(x))
    inverse = ONE / (ONE + e)
    with np.errstate(under="ignore"):
        return one_nan(np.where(x < 0, e * inverse, inverse))


def hyperbolic_tangent(x: Array) -> Array:
    """tanh(x): near 0 a polynomial, elsewhere 1 - 2e / (1 + e) with e = exp(-2|x|), and the sign of x. 2 units in the
    last place off at most."""
    size = np.abs(x)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        z = x * x
        near = polynomial(z, TANH_COEFFICIENTS) * z * x + x
        e = exponential(size * np.float32(-2))
        inverse = ONE / (ONE + e)
        far = ONE - (e + e) * inverse
    far = np.where(x < 0, -far, far)
    return one_nan(np.where(size < TANH_SMALL, near, far))


def dynamic_range(x: Array) -> tuple[Array, Array, Array]:
    """(scale, inverse scale, zero point) for int8 codes of each row of `x` (rows, elements); all (rows, 1).

    The range is that of the numbers in the row, 0 and +-2^126 at most; NaN is left out. As ONNX DynamicQuantizeLinear
    has it, less 128: scale = (high - low) / 255, zero point = -128 + round(-low / scale), ties up, so that 0 is a code.
    """
    zero = np.float32(0)
    low = np.fmin.reduce(x, axis=1, keepdims=True, initial=zero)
    high = np.fmax.reduce(x, axis=1, keepdims=True, initial=zero)
    low = np.where(low < -LARGEST_VALUE, -LARGEST_VALUE, low)
    high = np.where(high > LARGEST_VALUE, LARGEST_VALUE, high)
    span = high - low
    with np.errstate(under="ignore"):
        scale = np.where(span < SMALLEST_SPAN, ONE, span * RECIPROCAL_OF_LEVELS)
    inverse = ONE / scale
    return scale, inverse, quantize_float(zero - low, inverse, -128, -128, 127)
