"""The arithmetic of integers that stand for themselves: against its C namesakes bit for bit, and its definition."""

from __future__ import annotations

import ctypes
import inspect
import re

import numpy as np
import pytest
from test_int8 import call

from mcuq.arithmetic import integers as arithmetic
from mcuq.arithmetic.integers import index_within, within
from mcuq.build.shared_library import build_library
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
