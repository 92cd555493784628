"""The arithmetic of 16 bits: against its C namesakes bit for bit, and against its definition in exact numbers."""

from __future__ import annotations

import ctypes
import inspect
import re

import numpy as np
import pytest
from test_int8 import HEADER as MATH
from test_int8 import accumulators_and_multipliers, call, exact_requantize

from mcuq.arithmetic import int16 as wide_arithmetic
from mcuq.arithmetic.int8 import INT32_MAX, MAX_SHIFT, Requantization, requantization, requantize_s16
from mcuq.arithmetic.int16 import (
    LONG_MAX,
    SumS16,
    exponential_of_tables,
    interpolate,
    requantize_long,
    sum_parameters_s16,
    weighted_max_s16,
    weighted_min_s16,
    weighted_sum_s16,
)
from mcuq.build.shared_library import build_library
from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array
from mcuq.ops.softmax_s16 import exponential_tables
from mcuq.ops.unary_s16 import straight, straight_pieces
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_s16.h").read_text()

LOOPS = """
void each_long(int64_t n, const int64_t *acc, const int32_t *multiplier, int shift, int32_t zero_point,
               int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_requantize_long(acc[i], multiplier[i], shift, zero_point, output_min, output_max);
}

void each_wide(int64_t n, const int32_t *acc, const int32_t *multiplier, int prescale, int shift, int32_t output_min,
               int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_requantize_s16(acc[i], multiplier[i], prescale, shift, 0, output_min, output_max);
}

void each_weighted_sum(int64_t n, const int16_t *a, int32_t factor_a, const int16_t *b, int32_t factor_b, int shift,
                       int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_sum_s16(a[i], factor_a, b[i], factor_b, shift, output_min, output_max);
}

void each_weighted_max(int64_t n, const int16_t *a, int32_t factor_a, const int16_t *b, int32_t factor_b, int shift,
                       int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_max_s16(a[i], factor_a, b[i], factor_b, shift, output_min, output_max);
}

void each_weighted_min(int64_t n, const int16_t *a, int32_t factor_a, const int16_t *b, int32_t factor_b, int shift,
                       int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_weighted_min_s16(a[i], factor_a, b[i], factor_b, shift, output_min, output_max);
}

void each_interpolate(int64_t n, const int16_t *x, const int32_t *pieces, const int32_t *values, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_interpolate(x[i], pieces, values);
}

void each_exponential_of_tables(int64_t n, const int32_t *distance, const int32_t *coarse, const int32_t *fine,
                                int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_exponential_of_tables(distance[i], coarse, fine);
}
"""

BOUNDS = ((-32768, 32767), (0, 32767), (-128, 127), (-5, 9000), (-32768, -32768))
CODES = np.arange(-32768, 32768).astype(np.int16)


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_s16.h, each over arrays."""
    return build_library(MATH + HEADER.replace('#include "mcuq_math.h"', "") + LOOPS)


def long_accumulators(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """int64 accumulators up to 2^46 of every magnitude, and int32 multipliers, with all extremes."""
    acc, multiplier = accumulators_and_multipliers(rng, count, INT32_MAX)
    acc = np.concatenate([[LONG_MAX, -LONG_MAX, 2**31, -(2**31), 2**31 - 1], acc << rng.integers(0, 16, len(acc))])
    return acc, np.concatenate([[INT32_MAX, INT32_MAX, INT32_MAX, 1, 2**30], multiplier])


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    functions = inspect.getmembers(wide_arithmetic, inspect.isfunction)
    in_python = {name for name, f in functions if f.__module__ == wide_arithmetic.__name__}
    assert in_python - {"sum_parameters_s16"} == in_c


@pytest.mark.parametrize("shift", range(-1, MAX_SHIFT + 1))
def test_requantize_long_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(shift + 1)
    acc, multiplier = long_accumulators(rng, 20_000)
    for zero_point, bounds in ((0, BOUNDS[0]), (int(rng.integers(-128, 128)), BOUNDS[2]), (0, BOUNDS[shift % 5])):
        got = requantize_long(acc, Requantization(tuple(multiplier.tolist()), shift, 0), zero_point, *bounds)
        arguments = (acc, multiplier.astype(np.int32), shift, zero_point, *bounds)
        assert np.array_equal(got, call(c.each_long, len(acc), np.int32, *arguments))
        pairs = zip(acc[:3000].tolist(), multiplier[:3000].tolist(), strict=True)
        assert got[:3000].tolist() == [exact_requantize(a, m, shift, zero_point, *bounds) for a, m in pairs]


@pytest.mark.parametrize("shift", [-20, -3, 1, 7, MAX_SHIFT])
def test_requantize_s16_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(40 + shift)
    prescale = max(0, 1 - shift) if shift > -10 else 0
    acc, multiplier = accumulators_and_multipliers(rng, 20_000, INT32_MAX >> prescale)
    requant = Requantization(tuple(multiplier.tolist()), shift + prescale, prescale)
    for bounds in BOUNDS:
        got = requantize_s16(acc, requant, 0, *bounds)
        arguments = (acc.astype(np.int32), multiplier.astype(np.int32), prescale, shift + prescale, *bounds)
        assert np.array_equal(got, call(c.each_wide, len(acc), np.int32, *arguments))
        pairs = zip(acc[:3000].tolist(), multiplier[:3000].tolist(), strict=True)
        assert got[:3000].tolist() == [exact_requantize(a, m, shift, 0, *bounds) for a, m in pairs]


def test_long_and_short_accumulators_requantize_alike(c: ctypes.CDLL) -> None:
    acc, multiplier = accumulators_and_multipliers(np.random.default_rng(5), 20_000, INT32_MAX)
    requant = Requantization(tuple(multiplier.tolist()), 3, 0)
    got = requantize_long(acc, requant, 0, *BOUNDS[0])
    multipliers = multiplier.astype(np.int32)
    assert np.array_equal(got, call(c.each_long, len(acc), np.int32, acc, multipliers, 3, 0, *BOUNDS[0]))
    assert np.array_equal(
        got, call(c.each_wide, len(acc), np.int32, acc.astype(np.int32), multipliers, 0, 3, *BOUNDS[0])
    )
    assert np.array_equal(got, requantize_s16(acc, requant, 0, *BOUNDS[0]))


@pytest.mark.parametrize("shift", [1, 9, 30])
def test_weighted_sum_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, shift: int) -> None:
    rng = np.random.default_rng(shift)
    a, b = rng.permutation(CODES), rng.permutation(CODES)
    a[:4], b[:4] = (-32768, 32767, -32768, 32767), (-32768, 32767, 32767, -32768)
    for factors in ((INT32_MAX, INT32_MAX), (-INT32_MAX, INT32_MAX), (int(rng.integers(2**31)), -5), (0, 1)):
        for bounds in BOUNDS:
            got = weighted_sum_s16(a, b, SumS16(*factors, shift), *bounds)
            arguments = (a, factors[0], b, factors[1], shift, *bounds)
            assert np.array_equal(got, call(c.each_weighted_sum, len(a), np.int32, *arguments))
            pairs = zip(a[:2000].tolist(), b[:2000].tolist(), strict=True)
            sums = [(p * factors[0] + q * factors[1] + 2 ** (shift - 1)) // 2**shift for p, q in pairs]
            assert got[:2000].tolist() == [min(max(v, bounds[0]), bounds[1]) for v in sums]


@pytest.mark.parametrize("shift", [1, 7, 30])
@pytest.mark.parametrize("which", ["max", "min"])
def test_extremes_give_the_bits_of_their_namesakes_and_of_their_definition(
    c: ctypes.CDLL, which: str, shift: int
) -> None:
    rng = np.random.default_rng(shift)
    a, b = rng.permutation(CODES), rng.permutation(CODES)
    a[:4], b[:4] = (-32768, 32767, -32768, 32767), (-32768, 32767, 32767, -32768)
    python, extreme = {"max": (weighted_max_s16, max), "min": (weighted_min_s16, min)}[which]
    for factors in ((INT32_MAX, INT32_MAX), (int(rng.integers(2**31)), 5), (0, 1), (1 << shift, 1 << shift)):
        for bounds in BOUNDS:
            got = python(a, b, SumS16(*factors, shift), *bounds)
            arguments = (a, factors[0], b, factors[1], shift, *bounds)
            assert np.array_equal(got, call(getattr(c, f"each_weighted_{which}"), len(a), np.int32, *arguments))
            pairs = zip(a[:500].tolist(), b[:500].tolist(), strict=True)
            found = [(extreme(p * factors[0], q * factors[1]) + 2 ** (shift - 1)) // 2**shift for p, q in pairs]
            assert got[:500].tolist() == [min(max(v, bounds[0]), bounds[1]) for v in found]


def test_factors_of_a_weighted_sum_are_as_large_as_int32_allows() -> None:
    assert sum_parameters_s16((1.0, -0.5), "Add") == SumS16(2**30, -(2**29), 30)
    assert sum_parameters_s16((1.99, 0.1), "Add").shift == 30
    assert sum_parameters_s16((2.0, 0.1), "Add").shift == 29
    with pytest.raises(QuantizationError) as error:
        sum_parameters_s16((2.0**31, 1.0), "Add 'sum'")
    assert str(error.value) == (
        "Add 'sum': input scales are 2.14748e+09 and 1 times the output's, too far apart for int32; check the "
        "calibration data"
    )


@pytest.mark.parametrize("seed", range(4))
def test_interpolate_gives_the_bits_of_its_namesake(c: ctypes.CDLL, seed: int) -> None:
    x = np.arange(-32768.0, 32769.0)
    steps = (
        32767 * np.tanh(x / 5000),
        np.where(x % 512 < 256, -40000.0, 40000.0),
        x * 2 - 7.25,
        np.random.default_rng(0).uniform(-32768, 32767, x.size),
    )[seed]
    pieces, values = straight_pieces(steps)
    got = interpolate(CODES, pieces, values)
    assert np.array_equal(got, call(c.each_interpolate, len(CODES), np.int32, CODES, pieces, values))
    assert np.abs(got - np.clip(steps[:-1], -32768, 32767)).max() <= 0.75


@pytest.mark.parametrize("shift", range(9))
def test_pieces_of_one_length_are_interpolated_without_their_tables(shift: int) -> None:
    knots = np.random.default_rng(shift).integers(-32768 * 64, 32767 * 64, 65537).astype(np.int32)
    pieces = (np.arange(256) * (256 >> shift) * 16 + shift).astype(np.int32)
    assert np.array_equal(straight(knots, shift), interpolate(CODES, pieces, knots[:: 1 << shift]))


def test_pieces_are_long_where_a_function_is_straight() -> None:
    pieces, values = straight_pieces(np.arange(-32768.0, 32769.0) / 2)
    assert values.size == 257
    assert (pieces & 15 == 8).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-5, 3e-4, 0.01, 1.0, 100.0])
def test_exponential_gives_the_bits_of_its_namesake_and_is_within_what_it_states(c: ctypes.CDLL, scale: float) -> None:
    distance = np.arange(65536).astype(np.int32)
    tables = exponential_tables(scale)
    got = exponential_of_tables(distance, *tables)
    assert np.array_equal(got, call(c.each_exponential_of_tables, len(distance), np.int32, distance, *tables))
    assert np.abs(got - np.exp(-scale * distance) * 2.0**28).max() <= 1.3
    assert got[0] == 2**28


def test_long_accumulators_allow_factors_below_one_alone() -> None:
    assert requantization([0.999], 2**40, "layer").shift == -1
    for factor in (0.001, 0.3, 0.999):
        requant = requantization([factor], 2**40, "layer")
        got = requantize_long(np.array([[12345678901]]), requant, 0, -INT32_MAX, INT32_MAX)[0, 0]
        assert got == min(INT32_MAX, product_rounded(12345678901, factor))
    with pytest.raises(QuantizationError) as error:
        requantization([1.5], 2**40, "FullyConnected 'dense'")
    assert str(error.value) == (
        "FullyConnected 'dense': requantization factor 1.5 is outside (0, 1) for an accumulator that can reach "
        "1099511627776; check the calibration data"
    )


def product_rounded(acc: int, factor: float) -> int:
    """acc * factor to the nearest integer, of the multiplier that the factor becomes."""
    ((multiplier,), shift) = (requantization([factor], 2**40, "").multiplier, requantization([factor], 2**40, "").shift)
    return (acc * multiplier + 2 ** (31 + shift)) // 2 ** (32 + shift)
