"""The arithmetic of recurrent networks: against its C namesakes bit for bit, and its definition in exact numbers."""

from __future__ import annotations

import ctypes
import inspect
import re

import numpy as np
import pytest
from test_int8 import HEADER as MATH
from test_int8 import call

from mcuq.arithmetic import recurrent
from mcuq.arithmetic.recurrent import curve, rounded_s16
from mcuq.build.shared_library import build_library
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_recurrent.h").read_text()
LOOP = """
void each_rounded(int64_t n, const int64_t *total, int32_t shift, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_rounded_s16(total[i], shift);
}

void each_curve(int64_t n, const int16_t *x, const int16_t *values, int32_t shift, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_curve(x[i], values + (32768 >> shift), shift);
}
"""


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    functions = inspect.getmembers(recurrent, inspect.isfunction)
    assert {name for name, f in functions if f.__module__ == recurrent.__name__} == in_c


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_recurrent.h, each over arrays."""
    return build_library(MATH + HEADER.replace('#include "mcuq_s16.h"', "") + LOOP)


def test_rounded_s16_gives_the_bits_of_its_namesake_and_rounds_halves_up(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    for shift in range(1, 63):
        ties = [(2 * k + 1) * 2 ** (shift - 1) for k in (-32769, -32768, -2, -1, 0, 1, 32766, 32767)]
        near = [t + d for t in ties for d in (-1, 0, 1) if abs(t + d) < 2**62]
        some = rng.integers(-(2**62) + 1, 2**62, 500) >> rng.integers(0, 62, 500)
        total = np.concatenate([np.array([*near, 0, 2**62 - 1, 1 - 2**62]), some]).astype(np.int64)
        got = rounded_s16(total, shift)
        assert np.array_equal(got, call(c.each_rounded, len(total), np.int32, total, shift))
        exact = [min(max((2 * t + 2**shift) // 2 ** (shift + 1), -32768), 32767) for t in total.tolist()]
        assert got.tolist() == exact


def test_curve_gives_the_bits_of_its_namesake_and_lies_on_straight_lines(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    x = np.arange(-32768, 32768).astype(np.int16)
    for shift in range(1, 9):
        ends = rng.choice([-32768, 32767], (65536 >> shift) + 1)
        for values in (ends, rng.integers(-32768, 32768, len(ends))):
            table = values.astype(np.int16)
            got = curve(x, table, shift)
            assert np.array_equal(got, call(c.each_curve, len(x), np.int32, x, table, shift))
            exact = np.interp(x, np.arange(-32768, 32769, 1 << shift), values)
            assert np.array_equal(got, np.floor(exact + 0.5))
