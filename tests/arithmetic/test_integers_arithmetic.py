"""The arithmetic of integers that stand for themselves: against its C namesakes bit for bit, and its definition."""

from __future__ import annotations

import ctypes
import inspect
import re
from collections.abc import Callable

import numpy as np
import pytest
from test_int8 import call

from mcuq.arithmetic import integers as arithmetic
from mcuq.arithmetic.integers import (
    index_within,
    integer_modulo,
    integer_quotient,
    integer_remainder,
    truncate,
    truncate_float,
    within,
    within_long,
    wrapped_add,
    wrapped_mul,
    wrapped_sub,
)
from mcuq.build.shared_library import build_library
from mcuq.graph.tensor import Array
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_integers.h").read_text()
LOOPS = """
void each_within(int64_t n, const int32_t *x, int32_t low, int32_t high, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_within(x[i], low, high);
}

void each_index_within(int64_t n, const int32_t *index, int32_t size, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_index_within(index[i], size);
}

void each_within_long(int64_t n, const int64_t *x, int32_t low, int32_t high, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_within_long(x[i], low, high);
}

void each_quotient(int64_t n, const int32_t *a, const int32_t *b, int64_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_quotient(a[i], b[i]);
}

void each_remainder(int64_t n, const int32_t *a, const int32_t *b, int64_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_remainder(a[i], b[i]);
}

void each_modulo(int64_t n, const int32_t *a, const int32_t *b, int64_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_modulo(a[i], b[i]);
}

void each_wrapped_add(int64_t n, const int32_t *a, const int32_t *b, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_wrapped_add(a[i], b[i]);
}

void each_wrapped_sub(int64_t n, const int32_t *a, const int32_t *b, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_wrapped_sub(a[i], b[i]);
}

void each_wrapped_mul(int64_t n, const int32_t *a, const int32_t *b, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_wrapped_mul(a[i], b[i]);
}

void each_truncate(int64_t n, const int32_t *x, int32_t multiplier, int32_t shift, int32_t low, int32_t high,
                   int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_truncate(x[i], multiplier, shift, low, high);
}

void each_truncate_float(int64_t n, const float *x, int32_t low, int32_t high, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_truncate_float(x[i], low, high);
}
"""
NUMBERS = np.array([-(2**31), -(2**31) + 1, -300, -7, -6, -5, -1, 0, 1, 5, 6, 7, 300, 2**31 - 1], np.int32)


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_integers.h, each over arrays."""
    return build_library(HEADER + LOOPS)


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    functions = inspect.getmembers(arithmetic, inspect.isfunction)
    assert {name for name, f in functions if f.__module__ == arithmetic.__name__} == in_c


@pytest.mark.parametrize("bounds", [(-5, 6), (0, 0), (-(2**31), 2**31 - 1), (7, 300)])
def test_within_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, bounds: tuple[int, int]) -> None:
    got = within(NUMBERS, *bounds)
    assert np.array_equal(got, call(c.each_within, len(NUMBERS), np.int32, NUMBERS, *bounds))
    assert got.tolist() == [min(max(x, bounds[0]), bounds[1]) for x in NUMBERS.tolist()]


@pytest.mark.parametrize("size", [1, 6, 7, 300, 2**31 - 1])
def test_index_within_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL, size: int) -> None:
    got = index_within(NUMBERS, size)
    assert np.array_equal(got, call(c.each_index_within, len(NUMBERS), np.int32, NUMBERS, size))
    assert got.tolist() == [min(max(i + size if i < 0 else i, 0), size - 1) for i in NUMBERS.tolist()]


@pytest.mark.parametrize("bounds", [(-5, 6), (-(2**31), 2**31 - 1), (7, 300)])
def test_within_long_gives_the_bits_of_its_namesake_and_of_its_definition(
    c: ctypes.CDLL, bounds: tuple[int, int]
) -> None:
    x = np.concatenate([NUMBERS.astype(np.int64), [-(2**63), 2**63 - 1, 2**31, -(2**31) - 1]])
    got = within_long(x, *bounds)
    assert np.array_equal(got, call(c.each_within_long, len(x), np.int32, x, *bounds))
    assert got.tolist() == [min(max(v, bounds[0]), bounds[1]) for v in x.tolist()]


def test_divisions_give_the_bits_of_their_namesakes_and_of_their_definitions(c: ctypes.CDLL) -> None:
    a, b = (grid.ravel().copy() for grid in np.meshgrid(NUMBERS, NUMBERS))
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))

    def towards_0(p: int, q: int) -> int:
        return 0 if q == 0 else abs(p) // abs(q) * (1 if (p < 0) == (q < 0) else -1)

    for function, in_c, exact in (
        (integer_quotient, c.each_quotient, towards_0),
        (integer_remainder, c.each_remainder, lambda p, q: 0 if q == 0 else p - q * towards_0(p, q)),
        (integer_modulo, c.each_modulo, lambda p, q: 0 if q == 0 else p % q),
    ):
        got = function(a, b)
        assert np.array_equal(got, call(in_c, len(a), np.int64, a, b))
        assert got.tolist() == [exact(p, q) for p, q in pairs]


@pytest.mark.parametrize(("multiplier", "shift"), [(2**31 - 1, 0), (2**31 - 1, 62), (2**30, 30), (1717986919, 34)])
def test_truncate_gives_the_bits_of_its_namesake_and_of_its_definition(
    c: ctypes.CDLL, multiplier: int, shift: int
) -> None:
    x = np.concatenate([np.arange(-300, 301), [-(2**17) + 1, 2**17 - 1]]).astype(np.int32)
    for low, high in ((-(2**31), 2**31 - 1), (0, 9)):
        got = truncate(x, multiplier, shift, low, high)
        assert np.array_equal(got, call(c.each_truncate, len(x), np.int32, x, multiplier, shift, low, high))
        exact = [abs(v) * multiplier // 2**shift * (1 if v > 0 else -1) for v in x.tolist()]
        assert got.tolist() == [min(max(v, low), high) for v in exact]


def test_truncate_float_gives_the_bits_of_its_namesake_and_of_its_definition(c: ctypes.CDLL) -> None:
    x = np.float32([0, -0.0, 0.9, -0.9, 1, -1.5, 2147483520, 2147483648, -2147483648, 3e38, np.inf, -np.inf, np.nan])
    for low, high in ((-(2**31), 2**31 - 1), (0, 9), (5, 9)):
        got = truncate_float(x, low, high)
        assert np.array_equal(got, call(c.each_truncate_float, len(x), np.int32, x, low, high))
        exact = [0 if np.isnan(v) else int(np.clip(v, -(2.0**32), 2.0**32)) for v in x.tolist()]
        assert got.tolist() == [min(max(v, low), high) for v in exact]


@pytest.mark.parametrize(
    ("name", "own", "exact"),
    [
        ("add", wrapped_add, lambda a, b: a + b),
        ("sub", wrapped_sub, lambda a, b: a - b),
        ("mul", wrapped_mul, lambda a, b: a * b),
    ],
)
def test_int32_wraps_around(
    c: ctypes.CDLL, name: str, own: Callable[[Array, Array], Array], exact: Callable[[int, int], int]
) -> None:
    a, b = (x.ravel() for x in np.meshgrid(NUMBERS, NUMBERS))
    numbers = [exact(p, q) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    want = [(number + 2**31) % 2**32 - 2**31 for number in numbers]
    assert own(a, b).tolist() == want
    assert call(c[f"each_wrapped_{name}"], len(a), np.int32, a, b).tolist() == want
