"""The integer arithmetic: against its C namesakes bit for bit, and against its definition in exact numbers."""

from __future__ import annotations

import ctypes
import inspect
import re
from fractions import Fraction
from itertools import product
from math import floor, inf, nextafter

import numpy as np
import pytest

from mcuq.arithmetic import int8 as arithmetic
from mcuq.arithmetic.int8 import (
    INT32_MAX,
    MAX_SHIFT,
    MIN_SHIFT,
    Requantization,
    WeightedSum,
    clamp,
    lookup,
    multiply_high,
    quotient,
    quotient_parameters,
    quotient_s16,
    requantization,
    requantize,
    requantize_shift,
    weighted_extreme_parameters,
    weighted_max,
    weighted_min,
    weighted_sum,
    weighted_sum_parameters,
)
from mcuq.build.shared_library import build_library
from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_math.h").read_text()

LOOPS = """
void each_multiply_high(int64_t n, const int32_t *a, const int32_t *b, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_multiply_high(a[i], b[i]);
}

void each_clamp(int64_t n, const int32_t *q, int32_t output_min, int32_t output_max, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_clamp(q[i], output_min, output_max);
}

void each_requantize(int64_t n, const int32_t *acc, const int32_t *multiplier, int prescale, int shift,
                     int32_t zero_point, int32_t output_min, int32_t output_max, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_requantize(acc[i], multiplier[i], prescale, shift, zero_point, output_min, output_max);
}

void each_requantize_shift(int64_t n, const int32_t *acc, const int32_t *shift, int32_t zero_point,
                           int32_t output_min, int32_t output_max, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_requantize_shift(acc[i], shift[i], zero_point, output_min, output_max);
}

void each_weighted_sum(int64_t n, const int8_t *a, int32_t factor_a, const int8_t *b, int32_t factor_b,
                       int32_t constant, int shift, int32_t output_min, int32_t output_max, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_sum(a[i], factor_a, b[i], factor_b, constant, shift, output_min, output_max);
}

void each_weighted_max(int64_t n, const int8_t *a, int32_t factor_a, int32_t constant_a, const int8_t *b,
                       int32_t factor_b, int32_t constant_b, int shift, int32_t output_min, int32_t output_max,
                       int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_max(a[i], factor_a, constant_a, b[i], factor_b, constant_b, shift, output_min, output_max);
}

void each_weighted_min(int64_t n, const int8_t *a, int32_t factor_a, int32_t constant_a, const int8_t *b,
                       int32_t factor_b, int32_t constant_b, int shift, int32_t output_min, int32_t output_max,
                       int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_min(a[i], factor_a, constant_a, b[i], factor_b, constant_b, shift, output_min, output_max);
}

void each_quotient(int64_t n, const int32_t *a, const int32_t *b, int32_t multiplier, int shift, int32_t zero_point,
                   int32_t output_min, int32_t output_max, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_quotient(a[i], b[i], multiplier, shift, zero_point, output_min, output_max);
}

void each_quotient_s16(int64_t n, const int32_t *a, const int32_t *b, int32_t multiplier, int shift,
                       int32_t zero_point, int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_quotient_s16(a[i], b[i], multiplier, shift, zero_point, output_min, output_max);
}

void each_lookup(int64_t n, const int8_t *x, const int8_t *table, int8_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_lookup(x[i], table);
}
"""

ACC_EXTREMES = (-INT32_MAX, 1 - INT32_MAX, -(2**30), -65025, -1, 0, 1, 65025, 2**30, INT32_MAX - 1, INT32_MAX)
MULTIPLIER_EXTREMES = (0, 1, 2, 2**16, 2**30 - 1, 2**30, 2**30 + 1, INT32_MAX - 1, INT32_MAX)
BOUNDS = ((-128, 127), (-128, -128), (127, 127), (-5, 90), (0, 0), (-128, 0), (3, 127))
ZERO_POINTS = (-128, -127, -1, 0, 1, 64, 127)
PAIRS = np.meshgrid(np.arange(-128, 128, dtype=np.int8), np.arange(-128, 128, dtype=np.int8))


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_math.h, each over arrays."""
    return build_library(HEADER + LOOPS)


def call(function: ctypes._CFuncPtr, count: int, dtype: type, *arguments: Array | int) -> Array:
    """The C function's output array of `count` elements."""
    y = np.empty(count, dtype)
    held = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in (*arguments, y)]
    function(
        ctypes.c_int64(count),
        *(ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else ctypes.c_int32(a) for a in held),
    )
    return y


def c_requantize(
    c: ctypes.CDLL, acc: Array, multiplier: Array, prescale: int, shift: int, zero_point: int, bounds: tuple[int, int]
) -> Array:
    arguments = (acc.astype(np.int32), multiplier.astype(np.int32), prescale, shift, zero_point, *bounds)
    return call(c.each_requantize, len(acc), np.int8, *arguments)


def accumulators_and_multipliers(rng: np.random.Generator, count: int, largest: int) -> tuple[Array, Array]:
    """int64 pairs: all extremes with each other, then random ones of every magnitude up to `largest`."""
    extremes = [v for v in ACC_EXTREMES if abs(v) <= largest] + [largest, -largest]
    pairs = np.array(list(product(extremes, MULTIPLIER_EXTREMES)), np.int64)
    acc = rng.integers(-largest, largest, count, endpoint=True) >> rng.integers(0, 31, count)
    multiplier = rng.integers(0, 2**31, count) >> rng.integers(0, 20, count)
    return np.concatenate([pairs[:, 0], acc]), np.concatenate([pairs[:, 1], multiplier])


def exact_requantize(acc: int, multiplier: int, shift: int, zero_point: int, low: int, high: int) -> int:
    """ARITHMETIC.md, in Python's integers."""
    return min(max(zero_point + (acc * multiplier + 2 ** (31 + shift)) // 2 ** (32 + shift), low), high)


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    choosers = {"quotient_parameters", "requantization", "weighted_extreme_parameters", "weighted_sum_parameters"}
    functions = inspect.getmembers(arithmetic, inspect.isfunction)
    in_python = {name for name, f in functions if f.__module__ == arithmetic.__name__}
    assert in_python - choosers == in_c


def test_multiply_high_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(1)
    extremes = np.array(list(product((-(2**31), *ACC_EXTREMES), repeat=2)), np.int32)
    a, b = np.concatenate([extremes, rng.integers(-(2**31), 2**31, (1_000_000, 2)).astype(np.int32)]).T
    got = multiply_high(a, b)
    assert np.array_equal(got, call(c.each_multiply_high, len(a), np.int32, a, b))
    some = slice(0, 50_000)
    assert got[some].tolist() == [x * y // 2**32 for x, y in zip(a[some].tolist(), b[some].tolist(), strict=True)]


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_clamp_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, bounds: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    extremes = np.array([-(2**31), *ACC_EXTREMES, *range(-200, 200)], np.int32)
    q = np.concatenate([extremes, rng.integers(-(2**31), 2**31, 200_000).astype(np.int32)])
    got = clamp(q, *bounds)
    assert got.dtype == np.int8
    assert np.array_equal(got, call(c.each_clamp, len(q), np.int8, q, *bounds))
    assert got.tolist() == [min(max(v, bounds[0]), bounds[1]) for v in q.tolist()]


def test_lookup_gives_the_bits_of_its_namesake(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(-128, 128, 256).astype(np.int8)
    x = np.concatenate([np.arange(-128, 128), rng.integers(-128, 128, 1_000_000)]).astype(np.int8)
    got = lookup(x, table)
    assert np.array_equal(got, call(c.each_lookup, len(x), np.int8, x, table))
    assert got[:256].tolist() == table.tolist()


@pytest.mark.parametrize("shift", range(1, MAX_SHIFT + 1))
def test_requantize_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(shift)
    acc, multiplier = accumulators_and_multipliers(rng, 50_000, INT32_MAX)
    for zero_point, bounds in [*product((-128, 127), BOUNDS[:1]), (int(rng.integers(-128, 128)), BOUNDS[shift % 7])]:
        got = requantize(acc, Requantization(tuple(multiplier.tolist()), shift, 0), zero_point, *bounds)
        assert np.array_equal(got, c_requantize(c, acc, multiplier, 0, shift, zero_point, bounds))
        pairs = zip(acc[:3000].tolist(), multiplier[:3000].tolist(), strict=True)
        assert got[:3000].tolist() == [exact_requantize(a, m, shift, zero_point, *bounds) for a, m in pairs]


@pytest.mark.parametrize("shift", range(MIN_SHIFT, 1))
def test_wide_requantize_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(-shift)
    acc, multiplier = accumulators_and_multipliers(rng, 20_000, INT32_MAX)
    acc[len(acc) // 2 :] >>= rng.integers(0, 31)
    for zero_point, bounds in [*product((-128, 127), BOUNDS[:1]), (int(rng.integers(-128, 128)), BOUNDS[shift % 7])]:
        got = requantize(acc, Requantization(tuple(multiplier.tolist()), shift, 0), zero_point, *bounds)
        assert np.array_equal(got, c_requantize(c, acc, multiplier, 0, shift, zero_point, bounds))
        pairs = zip(acc[-3000:].tolist(), multiplier[-3000:].tolist(), strict=True)
        assert got[-3000:].tolist() == [exact_requantize(a, m, shift, zero_point, *bounds) for a, m in pairs]


@pytest.mark.parametrize("prescale", range(1, 31))
def test_prescaled_requantize_gives_the_bits_of_its_namesake_and_of_the_wide_form(
    c: ctypes.CDLL, prescale: int
) -> None:
    rng = np.random.default_rng(prescale)
    acc, multiplier = accumulators_and_multipliers(rng, 20_000, INT32_MAX >> prescale)
    for zero_point in (-128, int(rng.integers(-128, 128)), 127):
        multipliers = tuple(multiplier.tolist())
        got = requantize(acc, Requantization(multipliers, 1, prescale), zero_point)
        assert np.array_equal(got, c_requantize(c, acc, multiplier, prescale, 1, zero_point, (-128, 127)))
        wide = Requantization(multipliers, 1 - prescale, 0)
        assert np.array_equal(got, requantize(acc, wide, zero_point))


@pytest.mark.parametrize("right", range(1, 32))
def test_shifts_give_the_bits_of_their_namesake_and_of_requantize_by_powers_of_two(c: ctypes.CDLL, right: int) -> None:
    rng = np.random.default_rng(right)
    largest = INT32_MAX - (1 << (right - 1))
    acc, _ = accumulators_and_multipliers(rng, 20_000, largest)
    for zero_point, bounds in product((-128, 5, 127), BOUNDS[:2]):
        got = requantize_shift(acc, np.array(right), zero_point, *bounds)
        shifts = np.full(len(acc), right, np.int32)
        by_c = call(c.each_requantize_shift, len(acc), np.int8, acc.astype(np.int32), shifts, zero_point, *bounds)
        assert np.array_equal(got, by_c)
        assert np.array_equal(got, c_requantize(c, acc, shifts, -1, 0, zero_point, bounds))
        for shift in range(MIN_SHIFT, MAX_SHIFT + 1):
            if 0 <= 32 + shift - right <= 30:
                requant = Requantization((2 ** (32 + shift - right),), shift, 0)
                assert np.array_equal(got, requantize(acc[:, None], requant, zero_point, *bounds)[:, 0])


def test_high_word_form_of_the_specification_is_the_definition() -> None:
    """q = clamp8((hi + (zero_point << s) + (1 << (s-1))) >> s), as ARITHMETIC.md derives it."""
    rng = np.random.default_rng(4)
    for shift, zero_point in product(range(1, MAX_SHIFT + 1), ZERO_POINTS):
        acc, multiplier = accumulators_and_multipliers(rng, 5_000, INT32_MAX)
        high = multiply_high(acc, multiplier).astype(np.int64)
        sum_ = high + (zero_point << shift) + (1 << (shift - 1))
        assert np.abs(sum_).max() <= INT32_MAX
        requant = Requantization(tuple(multiplier.tolist()), shift, 0)
        assert np.array_equal(np.clip(sum_ >> shift, -128, 127), requantize(acc, requant, zero_point))


def test_requantize_applies_one_multiplier_to_each_channel() -> None:
    acc = np.array([[[1000, 1000, 1000]], [[-1000, -1000, -1000]]])
    got = requantize(acc, Requantization((2**30, 2**29, 2**28), 3, 0), 5)
    assert got.tolist() == [[[36, 21, 13]], [[-26, -11, -3]]]  # 5 +- 31.25, 15.625, 7.8125


def some_factors(rng: np.random.Generator, count: int) -> list[float]:
    """Factors of every magnitude that is allowed, with those around powers of two."""
    powers = [2.0**e for e in range(-70, 30)]
    return [
        *powers,
        *(nextafter(p, 0) for p in powers),
        *(nextafter(p, 1e99) for p in powers),
        *(p * (1 - 2.0**-32) for p in powers),
        *(p * (1 - 2.0**-33) for p in powers),
        *(2.0 ** rng.uniform(-70, 30, count)).tolist(),
    ]


def test_requantization_takes_the_largest_shift_whose_multiplier_fits_int32() -> None:
    for factor in some_factors(np.random.default_rng(5), 2000):
        requant = requantization([factor], INT32_MAX, "layer")
        exact = Fraction(factor)
        shift = MAX_SHIFT
        while round(exact * Fraction(2) ** (32 + shift)) >= 2**31:
            shift -= 1
        assert (requant.shift, requant.prescale) == (shift, 0), factor
        assert requant.multiplier == (round(exact * Fraction(2) ** (32 + shift)),)
        assert requant.multiplier[0] <= INT32_MAX


def test_requantization_prescales_where_the_accumulator_has_room() -> None:
    rng = np.random.default_rng(6)
    for factor in some_factors(rng, 2000):
        bound = int(rng.integers(1, 2**31) >> rng.integers(0, 31)) or 1
        requant, wide = requantization([factor], bound, "layer"), requantization([factor], INT32_MAX, "layer")
        needed = max(0, 1 - wide.shift)
        assert requant.multiplier == wide.multiplier
        if bound * 2**needed <= INT32_MAX:
            assert (requant.shift, requant.prescale) == (wide.shift + needed, needed)
            assert requant.shift >= 1
        else:
            assert (requant.shift, requant.prescale) == (wide.shift, 0)


def test_requantization_is_within_half_a_step_and_multiplier_rounding_of_the_exact_product() -> None:
    rng = np.random.default_rng(7)
    for factor in some_factors(rng, 300):
        bound = int(min(INT32_MAX, 300 / factor + 1))
        requant = requantization([factor], bound, "layer")
        acc = rng.integers(-bound, bound, 20, endpoint=True)
        got = requantize(acc[:, None], requant, 3)[:, 0]
        rounding = Fraction(bound, 1) / Fraction(2) ** (33 + requant.shift - requant.prescale)
        for a, q in zip(acc.tolist(), got.tolist(), strict=True):
            want = min(max(a * Fraction(factor) + 3, -128), 127)
            assert abs(q - want) <= Fraction(1, 2) + rounding


def test_all_channels_share_the_shift_of_the_largest_factor() -> None:
    requant = requantization([0.2, 0.2 * 2**-6, 0.2 * 2**-12, 0.2 * 2**-40], 1000, "layer")
    assert requant == Requantization((1717986918, 26843546, 419430, 0), 1, 0)


@pytest.mark.parametrize("factor", [0.0, -0.5, 2.0**30, inf, float("nan")])
def test_factor_that_no_shift_expresses_is_refused(factor: float) -> None:
    with pytest.raises(QuantizationError) as caught:
        requantization([factor], 1000, "Conv2d 'features.3'")
    assert str(caught.value) == (
        f"Conv2d 'features.3': requantization factor {factor:g} is outside (0, 2^30); check the calibration data"
    )


def weighted_sums(rng: np.random.Generator, count: int) -> list[tuple[tuple[float, float], tuple[int, int], int]]:
    """Arguments of weighted_sum_parameters: extremes, then random ones."""
    scales = (2.0**-30, 1e-3, 0.5, 1.0, 255.0, 65025.0, 2.0**20)
    cases = [((a, s * b), z, zy) for a, b, s, z, zy in product(scales, scales, (1, -1), [(-128, 127)], (-128, 127))]
    for _ in range(count):
        factors = (float(2.0 ** rng.uniform(-20, 15)), float(rng.choice([-1, 1]) * 2.0 ** rng.uniform(-20, 15)))
        za, zb, zy = (int(v) for v in rng.integers(-128, 128, 3))
        cases.append((factors, (za, zb), zy))
    return cases


def test_weighted_sum_gives_the_bits_of_its_namesake_for_every_pair(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(8)
    a, b = (p.reshape(-1) for p in PAIRS)
    cases = weighted_sums(rng, 40)
    for index in rng.permutation(len(cases))[:60]:
        p = weighted_sum_parameters(*cases[index], "layer")
        bounds = BOUNDS[index % len(BOUNDS)]
        arguments = (a, p.factor_a, b, p.factor_b, p.constant, p.shift, *bounds)
        got = weighted_sum(a, b, p, *bounds)
        assert got.dtype == np.int8
        assert np.array_equal(got, call(c.each_weighted_sum, len(a), np.int8, *arguments))
        exact = (a.astype(np.int64) * p.factor_a + b.astype(np.int64) * p.factor_b + p.constant) >> p.shift
        assert np.array_equal(got, np.clip(exact, *bounds))


def test_weighted_sum_never_leaves_int32_and_uses_as_many_bits_as_it_can() -> None:
    def largest(p: WeightedSum, zero_points: tuple[int, int], output_zero_point: int) -> int:
        assert p.constant == (
            (output_zero_point << p.shift)
            - zero_points[0] * p.factor_a
            - zero_points[1] * p.factor_b
            + (1 << (p.shift - 1))
        )
        return 128 * (abs(p.factor_a) + abs(p.factor_b)) + abs(p.constant)

    for factors, zero_points, output_zero_point in weighted_sums(np.random.default_rng(9), 3000):
        p = weighted_sum_parameters(factors, zero_points, output_zero_point, "layer")
        exact = [Fraction(f) * 2**p.shift for f in factors]
        assert (p.factor_a, p.factor_b) == tuple(round(f) for f in exact)
        assert largest(p, zero_points, output_zero_point) <= INT32_MAX
        if p.shift < 30:
            a, b = (round(2 * f) for f in exact)
            constant = (output_zero_point << (p.shift + 1)) - zero_points[0] * a - zero_points[1] * b + (1 << p.shift)
            finer = WeightedSum(a, b, constant, p.shift + 1)
            assert largest(finer, zero_points, output_zero_point) > INT32_MAX


def test_weighted_sum_is_within_half_a_step_and_factor_rounding_of_the_exact_sum() -> None:
    rng = np.random.default_rng(10)
    for factors, (za, zb), zy in weighted_sums(rng, 300):
        p = weighted_sum_parameters(factors, (za, zb), zy, "layer")
        a, b = rng.integers(-128, 128, (2, 10)).astype(np.int8)
        for x, y, q in zip(a.tolist(), b.tolist(), weighted_sum(a, b, p).tolist(), strict=True):
            exact = zy + Fraction(factors[0]) * (x - za) + Fraction(factors[1]) * (y - zb)
            want = min(max(exact, -128), 127)
            assert abs(q - want) <= Fraction(1, 2) + Fraction(256, 2**p.shift)


def test_weighted_sum_rounds_halves_up() -> None:
    p = weighted_sum_parameters((0.5, 0.5), (0, 0), 0, "layer")
    a = np.arange(-5, 6, dtype=np.int8)
    got = weighted_sum(a, np.zeros_like(a), p)
    assert got.tolist() == [floor(Fraction(v, 2) + Fraction(1, 2)) for v in range(-5, 6)]


@pytest.mark.parametrize("which", ["max", "min"])
def test_weighted_extremes_give_the_bits_of_their_namesakes_and_the_rounded_extreme(c: ctypes.CDLL, which: str) -> None:
    rng = np.random.default_rng(11)
    a, b = (p.reshape(-1) for p in PAIRS)
    python, extreme = {"max": (weighted_max, np.maximum), "min": (weighted_min, np.minimum)}[which]
    in_c = getattr(c, f"each_weighted_{which}")
    cases = weighted_sums(rng, 40)
    for index in rng.permutation(len(cases))[:60]:
        (fa, fb), (za, zb), zy = cases[index]
        p = weighted_extreme_parameters((abs(fa), abs(fb)), (za, zb), zy, "layer")
        for factor, constant in ((p.factor_a, p.constant_a), (p.factor_b, p.constant_b)):
            assert 128 * factor + abs(constant) <= INT32_MAX
        bounds = BOUNDS[index % len(BOUNDS)]
        arguments = (a, p.factor_a, p.constant_a, b, p.factor_b, p.constant_b, p.shift, *bounds)
        got = python(a, b, p, *bounds)
        assert got.dtype == np.int8
        assert np.array_equal(got, call(in_c, len(a), np.int8, *arguments))
        exact = zy + extreme(abs(fa) * (a.astype(float) - za), abs(fb) * (b.astype(float) - zb))
        assert np.abs(got - np.clip(exact, *bounds)).max() <= 0.5 + 128 * 2.0**-p.shift


def test_extremes_of_one_scale_are_exact_and_halves_go_up() -> None:
    a, b = (p.reshape(-1) for p in PAIRS)
    p = weighted_extreme_parameters((1.0, 1.0), (-7, -7), -7, "layer")
    assert np.array_equal(weighted_max(a, b, p), np.maximum(a, b))
    assert np.array_equal(weighted_min(a, b, p), np.minimum(a, b))
    p = weighted_extreme_parameters((0.5, 0.5), (0, 0), 0, "layer")
    x = np.arange(-5, 6, dtype=np.int8)
    assert weighted_max(x, x, p).tolist() == [floor(Fraction(v, 2) + Fraction(1, 2)) for v in range(-5, 6)]


def exact_quotient(a: int, b: int, factor: Fraction, zero_point: int, bounds: tuple[int, int]) -> Fraction:
    """Not rounded."""
    if b == 0:
        return Fraction(bounds[a > 0] if a else min(max(zero_point, bounds[0]), bounds[1]))
    return min(max(zero_point + a * factor / b, Fraction(bounds[0])), Fraction(bounds[1]))


FACTORS = (1e-30, 2e-10, 1e-3, 0.3, 1.0, 7.7, 127.0, 3e3, 4e6, 7e6, 5e8, 1.7e9, 3e9, 1e30)


@pytest.mark.parametrize("factor", FACTORS)
def test_quotient_gives_the_bits_of_its_namesake_and_is_exact_but_for_one_rounding(
    c: ctypes.CDLL, factor: float
) -> None:
    rng = np.random.default_rng(12)
    p = quotient_parameters(factor, "int8")
    assert 255 * p.multiplier + 2**29 <= INT32_MAX
    a, b = (q.reshape(-1).astype(np.int32) for q in np.meshgrid(np.arange(-255, 256), np.arange(-255, 256)))
    some = np.r_[0 : 511 * 511 : 511, rng.integers(0, len(a), 2000), np.flatnonzero(b == 0)]
    for zero_point, bounds in zip(ZERO_POINTS, BOUNDS, strict=True):
        got = quotient(a, b, p, zero_point, *bounds)
        assert got.dtype == np.int8
        arguments = (a, b, p.multiplier, p.shift, zero_point, *bounds)
        assert np.array_equal(got, call(c.each_quotient, len(a), np.int8, *arguments))
        for x, y, q in zip(a[some].tolist(), b[some].tolist(), got[some].tolist(), strict=True):
            assert abs(q - exact_quotient(x, y, Fraction(factor), zero_point, bounds)) <= 0.5 + 2.0**-15


@pytest.mark.parametrize("factor", FACTORS)
def test_quotient_of_16_bits_likewise(c: ctypes.CDLL, factor: float) -> None:
    rng = np.random.default_rng(13)
    p = quotient_parameters(factor, "int16")
    ends = np.array(list(product((-32768, -32767, -1, 0, 1, 32766, 32767), repeat=2)), np.int32)
    pairs = rng.integers(-32768, 32768, (100_000, 2)).astype(np.int32) >> rng.integers(0, 16, (100_000, 1))
    a, b = np.concatenate([ends, pairs.astype(np.int32)]).T
    for bounds in ((-32768, 32767), (0, 32767), (-5, 900)):
        got = quotient_s16(a, b, p, 0, *bounds)
        arguments = (a, b, p.multiplier, p.shift, 0, *bounds)
        assert np.array_equal(got, call(c.each_quotient_s16, len(a), np.int32, *arguments))
        for x, y, q in zip(a[:3000].tolist(), b[:3000].tolist(), got[:3000].tolist(), strict=True):
            assert abs(q - exact_quotient(x, y, Fraction(factor), 0, bounds)) <= 0.5 + 2.0**-15


def test_quotients_round_halves_up() -> None:
    p = quotient_parameters(0.5, "int8")
    a = np.arange(-5, 6)
    for sign in (1, -1):
        got = quotient(sign * a, np.full(11, sign), p, 0, -128, 127)
        assert got.tolist() == [floor(Fraction(v, 2) + Fraction(1, 2)) for v in range(-5, 6)]


def test_scales_too_far_apart_for_an_extreme_are_refused() -> None:
    with pytest.raises(QuantizationError) as caught:
        weighted_extreme_parameters((2.0**24, 0.5), (0, 0), 0, "Max 'larger'")
    assert str(caught.value) == (
        "Max 'larger': input scales are 1.67772e+07 and 0.5 times the output's, too far apart for int32; check the "
        "calibration data"
    )


def test_scales_too_far_apart_for_a_weighted_sum_are_refused() -> None:
    with pytest.raises(QuantizationError) as caught:
        weighted_sum_parameters((2.0**24, -0.5), (0, 0), 0, "Sub 'residual'")
    assert str(caught.value) == (
        "Sub 'residual': input scales are 1.67772e+07 and 0.5 times the output's, too far apart for int32; "
        "check the calibration data"
    )
