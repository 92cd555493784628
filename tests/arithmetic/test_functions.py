"""Functions of one float of mcuq_functions.h: against their C bit for bit, and their errors against float64."""

from __future__ import annotations

import ctypes
import inspect
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from float_twins import UNFUSED, FloatFunction, assert_same_bits, floats, loops, pointer, run_loop, units_off

from mcuq.arithmetic import functions
from mcuq.build.shared_library import build_library
from mcuq.graph.tensor import Array
from mcuq.resources import resource_dir

KERNELS = resource_dir("firmware") / "kernels"
HEADER = (KERNELS / "mcuq_functions.h").read_text().replace('#include "mcuq_float.h"\n', "")

UNARY: dict[str, FloatFunction] = {
    name: getattr(functions, name)
    for name in (
        "arctangent",
        "complementary_error",
        "cosine",
        "error_function",
        "exponential_minus_one",
        "near_cosine",
        "near_sine",
        "reciprocal",
        "round_down",
        "round_half_even",
        "round_up",
        "sine",
        "square_root",
    )
}
# Parts of sine and cosine, for numbers alone.
PARTS = ("near_cosine", "near_sine")
ANGLES = """
void each_reduced_angle(int64_t n, const float *x, float *y, int32_t *multiple)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_reduced_angle(x[i], multiple + i);
}
"""


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions, each over arrays."""
    basis = (KERNELS / "mcuq_float.h").read_text()
    powers = loops(["power", "remainder"], dict.fromkeys(("power", "remainder"), ", x[n - 1 - i]"))
    return build_library(UNFUSED + basis + HEADER + loops(UNARY, {}) + powers + ANGLES)


@pytest.mark.parametrize("name", UNARY)
def test_function_is_its_c_bit_for_bit(c: ctypes.CDLL, name: str) -> None:
    x = floats()
    if name in PARTS:
        x = x[np.abs(x) < 1]
    assert_same_bits(UNARY[name](x), run_loop(c, name, x), x)


def test_functions_of_two_are_their_c_bit_for_bit(c: ctypes.CDLL) -> None:
    rng = np.random.default_rng(0)
    some = rng.permutation(floats())
    x = np.concatenate([some, rng.integers(-9, 9, 2000).astype("f"), rng.normal(size=40_000).astype("f")])
    x[::5] = rng.integers(-20, 20, x[::5].shape) / 2
    assert_same_bits(functions.power(x, x[::-1]), run_loop(c, "power", x), x)
    assert_same_bits(functions.remainder(x, x[::-1]), run_loop(c, "remainder", x), x)


def test_power_is_as_close_to_the_real_one_as_it_states() -> None:
    x, y = np.abs(any_size(-20, 20)), any_size(-4, 3)[::-1]
    exact = x.astype(np.float64) ** y.astype(np.float64)
    inside = (exact > 2.0**-126) & (exact < 3e38)
    off = units_off(functions.power(x, y)[inside], exact[inside])
    assert (off <= 5 + 2 * np.abs(np.log(exact[inside]))).all()
    whole = np.rint(y)
    signed = np.float_power(-x.astype(np.float64), whole)
    inside = (np.abs(signed) > 1e-37) & (np.abs(signed) < 3e38)
    assert np.array_equal(np.sign(functions.power(-x, whole)[inside]), np.sign(signed[inside]))


def test_angle_is_reduced_as_in_c(c: ctypes.CDLL) -> None:
    x = floats()
    y, multiple = np.empty_like(x), np.empty(x.size, np.int32)
    c.each_reduced_angle(ctypes.c_int64(x.size), pointer(x), pointer(y), pointer(multiple))
    want, quarter = functions.reduced_angle(x)
    assert_same_bits(want, y, x)
    assert np.array_equal(quarter, multiple)


def any_size(low: float, high: float) -> Array:
    """float32 of both signs, their logarithms to base 2 spread evenly."""
    rng = np.random.default_rng(1)
    return (np.exp2(rng.uniform(low, high, 300_000)) * rng.choice([-1, 1], 300_000)).astype(np.float32)


def between(low: float, high: float) -> Array:
    return np.random.default_rng(2).uniform(low, high, 300_000).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "exact", "units", "inputs"),
    [
        ("arctangent", np.arctan, 2.5, lambda: np.r_[between(-4, 4), any_size(-100, 127)]),
        ("complementary_error", np.vectorize(math.erfc), 6.5, lambda: between(0.8, 9)),
        ("cosine", np.cos, 3.0, lambda: np.r_[between(-10, 10), any_size(-10, 60)]),
        ("error_function", np.vectorize(math.erf), 2.0, lambda: np.r_[between(-4, 4), any_size(-100, 2)]),
        ("exponential_minus_one", np.expm1, 1.6, lambda: np.r_[between(-30, 0), -np.abs(any_size(-100, 5))]),
        ("reciprocal", lambda x: 1 / x, 0.5 + 1e-6, lambda: any_size(-126, 126)),
        ("round_down", np.floor, 0.0, lambda: np.r_[between(-9, 9), any_size(-30, 60), np.arange(-9, 9, 0.5)]),
        ("round_half_even", np.rint, 0.0, lambda: np.r_[between(-9, 9), any_size(-30, 60), np.arange(-9, 9, 0.5)]),
        ("round_up", np.ceil, 0.0, lambda: np.r_[between(-9, 9), any_size(-30, 60), np.arange(-9, 9, 0.5)]),
        ("sine", np.sin, 3.0, lambda: np.r_[between(-10, 10), any_size(-100, 60)]),
        ("square_root", np.sqrt, 0.5 + 1e-6, lambda: np.abs(any_size(-149, 127))),
    ],
)
def test_function_is_as_close_to_the_real_one_as_it_states(
    name: str, exact: FloatFunction, units: float, inputs: Callable[[], Array]
) -> None:
    x = inputs().astype(np.float32)
    off = units_off(UNARY[name](x), exact(x.astype(np.float64)))
    assert units / 2 <= off.max() <= units


def test_a_sine_of_an_angle_of_any_size() -> None:
    """Of exact values: pi in 300 digits' worth of bits, by Machin's formula."""
    bits = 700

    def arctangent(n: int) -> int:
        term = total = (1 << bits) // n
        k, sign = 3, -1
        while term:
            term //= n * n
            total, k, sign = total + sign * (term // k), k + 2, -sign
        return total

    pi = 4 * (4 * arctangent(5) - arctangent(239))
    x = np.array([3.4028235e38, 1.234e30, 1.6367e25, 7.0e10, 16777216.0, 2.0**100], np.float32)
    exact = []
    for value in x.tolist():
        rest = (int(value) << bits) % (2 * pi)
        exact.append(math.sin(rest / (1 << bits)))
    assert units_off(functions.sine(x), np.array(exact)).max() <= 3


def test_values_where_functions_end() -> None:
    inf, nan = np.inf, np.nan
    cases: dict[str, tuple[list[float], list[float]]] = {
        "square_root": ([0, -0.0, -1, inf, -inf, 1.4e-45, 4], [0, -0.0, nan, inf, nan, 2.0**-74.5, 2]),
        "reciprocal": ([0, -0.0, inf, -inf, 2.0**127], [inf, -inf, 0, -0.0, 2.0**-127]),
        "arctangent": ([0, -0.0, inf, -inf], [0, -0.0, np.pi / 2, -np.pi / 2]),
        "sine": ([0, -0.0, inf, -inf], [0, -0.0, nan, nan]),
        "cosine": ([0, -0.0, inf, -inf], [1, 1, nan, nan]),
        "error_function": ([0, -0.0, inf, -inf], [0, -0.0, 1, -1]),
        "complementary_error": ([inf, 20], [0, 0]),
        "exponential_minus_one": ([0, -inf, -21, 5], [0, -1, -1, 0]),
        "round_half_even": ([0.5, 1.5, -2.5, inf, 2.0**23, 8388607.5], [0, 2, -2, inf, 2.0**23, 8388608]),
        "round_down": ([-0.5, 8388606.5, -inf], [-1, 8388606, -inf]),
        "round_up": ([0.5, 8388606.5, inf], [1, 8388607, inf]),
    }
    for name, (x, want) in cases.items():
        assert np.array_equal(UNARY[name](np.array(x, "f")), np.array(want, "f"), equal_nan=True), name


def test_there_is_one_nan() -> None:
    x = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    for name in UNARY.keys() - set(PARTS):
        assert (UNARY[name](x).view(np.uint32) == 0x7FC00000).all(), name


def test_header_and_module_have_the_same_functions() -> None:
    in_c = set(re.findall(r"^static inline \w+ mcuq_(\w+)\(", HEADER, re.MULTILINE))
    members = inspect.getmembers(functions, inspect.isfunction)
    assert in_c == {name for name, f in members if f.__module__ == functions.__name__}
    assert in_c == {*UNARY, "power", "reduced_angle", "remainder"}
