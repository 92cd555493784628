"""The arithmetic of reductions: against its C namesakes bit for bit, and its definition in exact numbers."""

from __future__ import annotations

import ctypes
import inspect
import re
from fractions import Fraction
from math import floor, isqrt

import numpy as np
import pytest
from test_int8 import HEADER as MATH
from test_int8 import call

from mcuq.arithmetic import reduce
from mcuq.arithmetic.reduce import (
    PowerOfTwo,
    integer_power_root,
    integer_root,
    power_of_two,
    product_value,
    product_with,
)
from mcuq.build.shared_library import build_library
from mcuq.resources import resource_dir

NORMALIZE, HEADER = (
    (resource_dir("firmware") / "kernels" / f"mcuq_{name}.h").read_text() for name in ("normalize", "reduce")
)

LOOPS = """
void each_root(int64_t n, const uint64_t *a, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_root(a[i]);
}

void each_power_root(int64_t n, const uint64_t *a, int32_t power, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_power_root(a[i], power);
}

void each_product(int64_t n, int32_t count, const int32_t *factors, int32_t multiplier, int32_t exponent,
                  int32_t zero_point, int32_t output_min, int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++) {
        mcuq_product product = { 1073741824, 0 };
        for (int32_t k = 0; k < count; k++)
            product = mcuq_product_with(product, *factors++);
        y[i] = mcuq_product_value(product, multiplier, exponent, zero_point, output_min, output_max);
    }
}
"""


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_reduce.h, each over arrays."""
    normalize = NORMALIZE.replace('#include "mcuq_math.h"', "")
    return build_library(MATH + normalize + HEADER.replace('#include "mcuq_normalize.h"', "") + LOOPS)


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    functions = inspect.getmembers(reduce, inspect.isfunction)
    assert {name for name, f in functions if f.__module__ == reduce.__name__} - {"power_of_two"} == in_c


def test_root_gives_the_bits_of_its_namesake_and_is_the_whole_part(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    roots = np.concatenate([np.arange(300), (2.0 ** rng.uniform(0, 31, 20_000)).astype(np.int64), [2**31 - 1]])
    ends = [(1 << np.arange(62)), (1 << np.arange(62)) - 1, 2**62 - 1 - np.arange(1000), np.arange(1000)]
    a = np.concatenate([(roots[:, None] ** 2 + np.arange(-1, 2)).reshape(-1), rng.integers(0, 2**62, 20_000), *ends])
    a = a[(a >= 0) & (a < 2**62)]
    got = integer_root(a)
    assert got.tolist() == [isqrt(v) for v in a.tolist()]
    assert np.array_equal(got, call(c.each_root, len(a), np.int32, a.astype(np.uint64)))


@pytest.mark.parametrize("power", [3, 4, 5, 6, 7, 8, 13, 31, 32])
def test_root_of_a_power_gives_the_bits_of_its_namesake_and_is_the_whole_part(c: ctypes.CDLL, power: int) -> None:
    rng = np.random.default_rng(power)
    bits = 64 // power
    roots = [0, 1, 2**bits - 1, *rng.integers(0, 2**bits, 500).tolist()]
    a = [r**power + off for r in roots for off in (-1, 0, 1)] + rng.integers(0, 2**62, 500).tolist()
    found = np.array(sorted({v for v in a if 0 <= v < min(2**63, 2 ** (bits * power))}), np.int64)
    got = integer_power_root(found, power)
    assert all(int(r) ** power <= v < (int(r) + 1) ** power for r, v in zip(got, found.tolist(), strict=True))
    assert np.array_equal(got, call(c.each_power_root, len(found), np.int32, found.astype(np.uint64), power))


@pytest.mark.parametrize("bits", [9, 17])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_product_gives_the_bits_of_its_namesake_and_is_within_what_it_states(
    c: ctypes.CDLL, bits: int, count: int
) -> None:
    rng = np.random.default_rng([bits, count])
    most = 2 ** (bits - 1)
    size = most / 2.0 ** rng.uniform(0, min(bits, 400 / count / bits + 1), (400, count))
    factors = (np.rint(size) * rng.choice([-1, 1], size.shape)).clip(-most, most - 1).astype(np.int32)
    factors[:3, 0], factors[3:6] = 0, -most
    mantissa, exponent = np.full(400, 2**30, np.int32), np.zeros(400, np.int32)
    for i in range(count):
        mantissa, exponent = product_with(mantissa, exponent, factors[:, i])
    assert ((np.abs(mantissa.astype(np.int64)) >= 2**30) | (mantissa == 0)).all()
    exact = [Fraction(1)] * 400
    for i in range(count):
        exact = [e * int(f) for e, f in zip(exact, factors[:, i], strict=True)]
    # So that results lie on both bounds, at 0 and between.
    middle = float(np.median(np.log2(np.abs(mantissa[6:].astype(np.float64))) + exponent[6:])) - 30
    for shift in (-30.3, -2.0, 5.71, 12.5, 24.0):
        by = power_of_two(shift - middle)
        assert 2**30 <= by.multiplier < 2**31
        got = product_value(mantissa, exponent, by, -3, -128, 127)
        assert np.array_equal(
            got, call(c.each_product, 400, np.int32, count, factors, by.multiplier, by.exponent, -3, -128, 127)
        )
        factor = Fraction(by.multiplier, 2**31) * Fraction(2) ** by.exponent
        for value, e in zip(got.tolist(), exact, strict=True):
            slack = abs(e * factor) * Fraction(count, 2**30) + Fraction(1, 2**20)
            low, high = (min(127, max(-128, floor(e * factor + s + Fraction(1, 2)) - 3)) for s in (-slack, slack))
            assert low <= value <= high


@pytest.mark.parametrize("exponent", [-1000.0, -31.0, -0.5, 0.0, 1e-12, -1e-12, 17.25, 5000.0])
def test_power_of_two_is_within_half_a_unit_of_31_bits(exponent: float) -> None:
    found = power_of_two(exponent)
    assert 2**30 <= found.multiplier < 2**31
    assert np.log2(found.multiplier) - 31 + found.exponent == pytest.approx(exponent, abs=2e-9)
    assert isinstance(found, PowerOfTwo)
