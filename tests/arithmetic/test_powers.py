"""Powers of integers: against their C namesakes bit for bit; errors are those of tests/ops/test_power.py."""

from __future__ import annotations

import ctypes
import inspect
import re

import numpy as np
import pytest
from test_int8 import HEADER as MATH
from test_int8 import call

from mcuq.arithmetic import powers
from mcuq.arithmetic.powers import LOGARITHMS, POWERS, Powers, integer_power
from mcuq.build.shared_library import build_library
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_powers.h").read_text()
LOOPS = """
void each_power(int64_t n, const int32_t *a, const int32_t *b, int before, int32_t logarithm, int32_t factor,
                int fraction_bits, int32_t offset, int32_t whole, int32_t zero_point, int32_t output_min,
                int32_t output_max, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_integer_power(a[i], b[i], before, logarithm, factor, fraction_bits, offset, whole, zero_point,
                                  output_min, output_max);
}
"""


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_powers.h, each over arrays."""
    return build_library(MATH + HEADER.replace('#include "mcuq_math.h"', "") + LOOPS)


def test_header_and_module_have_the_same_functions_and_tables() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    members = inspect.getmembers(powers, inspect.isfunction)
    assert {name for name, f in members if f.__module__ == powers.__name__} == in_c
    tables = re.findall(r"table\[257\] = {(.*?)};", HEADER, re.DOTALL)
    assert [[int(v) for v in text.split(",")] for text in tables] == [LOGARITHMS.tolist(), POWERS.tolist()]


@pytest.mark.parametrize("before", [8, 15])
def test_power_gives_the_bits_of_its_namesake(c: ctypes.CDLL, before: int) -> None:
    rng = np.random.default_rng(before)
    most = 255 if before == 8 else 2**15
    a, b = (rng.integers(-most, most, 20_000).astype(np.int32) for _ in range(2))
    a[:200], b[100:400], a[400:420], b[410:430] = 0, 0, -most, -most
    for bits in (before + 16, before + 17, before + 27, before + 30, before + 45):
        by = Powers(
            before,
            int(rng.integers(-(2**28), 2**28)),
            int(rng.integers(2**30, 2**31)),
            bits - 8 - before,
            int(rng.integers(-(2**24), 2**24)),
            int(rng.integers(2**10, 2**30)),
        )
        got = integer_power(a, b, by, 3, -100, 120)
        assert np.array_equal(got, call(c.each_power, len(a), np.int32, a, b, *vars(by).values(), 3, -100, 120))
