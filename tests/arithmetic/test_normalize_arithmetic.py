"""The arithmetic of normalizations: against its C namesakes bit for bit, and its definition in exact numbers."""

from __future__ import annotations

import ctypes
import inspect
import re

import numpy as np
import pytest
from test_int8 import HEADER as MATH
from test_int8 import call

from mcuq.arithmetic import normalize
from mcuq.arithmetic.normalize import (
    epsilon_bits,
    guard_bits,
    inverse_power,
    inverse_square_root,
    normalized,
    normalizer_of,
    scale_and_bias,
)
from mcuq.build.shared_library import build_library
from mcuq.errors import QuantizationError
from mcuq.graph.tensor import Array
from mcuq.resources import resource_dir

HEADER = (resource_dir("firmware") / "kernels" / "mcuq_normalize.h").read_text()

LOOPS = """
void each_root(int64_t n, const uint32_t *a, uint32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_inverse_square_root(a[i]);
}

void each_inverse_power(int64_t n, const uint64_t *base, int32_t first, const int32_t *powers,
                        const int32_t *multiplier, const int32_t *shift, int64_t *y)
{
    for (int64_t i = 0; i < n; i++) {
        const mcuq_scaled_power by = mcuq_inverse_power(base[i], first, powers, multiplier, shift);
        y[i] = (int64_t)by.shift * 4294967296 + by.factor;
    }
}

void each_normalized(int64_t n, int32_t count, const int32_t *total, const uint64_t *variance, const uint64_t *epsilon,
                     int precision, int guard, const int32_t *x, int32_t *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_normalized(x[i],
                               mcuq_normalizer_of(count, total[i], variance[i], *epsilon, precision, guard));
}
"""


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """The functions of mcuq_normalize.h, each over arrays."""
    return build_library(MATH + HEADER.replace('#include "mcuq_math.h"', "") + LOOPS)


def test_header_and_module_have_functions_of_the_same_names() -> None:
    in_c = set(re.findall(r"static inline \w+ mcuq_(\w+)\(", HEADER))
    functions = inspect.getmembers(normalize, inspect.isfunction)
    in_python = {name for name, f in functions if f.__module__ == normalize.__name__}
    assert in_python - {"epsilon_bits", "guard_bits", "scale_and_bias"} == in_c


def test_inverse_square_root_gives_the_bits_of_its_namesake_and_is_within_what_it_states(c: ctypes.CDLL) -> None:
    low, high = 2**30, 2**32
    ends = np.arange(3000)
    rng = np.random.default_rng(0)
    powers = (low + (1 << np.arange(30)))[:, None] + np.arange(-2, 3)
    some = rng.integers(low, high, 200_000)
    a = np.concatenate([low + ends, high - 1 - ends, powers.clip(low).reshape(-1), some]).astype(np.uint32)
    got = inverse_square_root(a)
    assert np.array_equal(got, call(c.each_root, len(a), np.uint32, a))
    assert np.abs(got - 2.0**47 / np.sqrt(a.astype(np.longdouble))).max() <= 2.5


@pytest.mark.parametrize("beta", [0.0, 0.75, 6.0])
def test_inverse_power_gives_the_bits_of_its_namesake_and_is_within_what_is_stated(c: ctypes.CDLL, beta: float) -> None:
    rng = np.random.default_rng(0)
    some = (2.0 ** rng.uniform(0, 62.9, 50_000)).astype(np.int64)
    base = np.concatenate([some, 1 << np.arange(63), (1 << np.arange(1, 63)) - 1, [2**63 - 1]])
    powers = np.rint((1 + np.arange(257) / 256) ** -beta * 2.0**30).astype(np.int32)
    multiplier = rng.integers(2**30, 2**31, 63).astype(np.int32)
    shift = rng.integers(1, 61, 63).astype(np.int32)
    factor, by = inverse_power(base, 0, powers, multiplier, shift)
    got = call(c.each_inverse_power, len(base), np.int64, base.astype(np.uint64), 0, powers, multiplier, shift)
    assert np.array_equal(by * 2**32 + factor, got)
    exponent = np.array([v.bit_length() - 1 for v in base.tolist()])
    exact = (base.astype(np.longdouble) / np.exp2(exponent.astype(np.longdouble))) ** -np.longdouble(beta)
    exact = exact * multiplier[exponent] / 4
    off = np.abs(factor - exact)
    assert (off <= exact * (beta * (beta + 1) * 2.0**-19 + 1e-9) + 3).all()
    assert np.array_equal(by, shift[exponent])


def groups(rng: np.random.Generator, count: int, bits: int) -> Array:
    """int64 (groups, count) of all spreads, at all places, and of both extremes."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    spread = 2.0 ** rng.uniform(-2, bits, (300, 1))
    x = np.rint(rng.normal(size=(300, count)) * spread + rng.uniform(low, high, (300, 1)))
    ends = np.where(rng.random((40, count)) < rng.random((40, 1)), low, high)
    one = np.full((4, count), high)
    one[:, 0] = (low, high - 1, low + 1, 0)
    constant = np.repeat([[low], [0], [high]], count, axis=1)
    return np.concatenate([x.clip(low, high), ends, one, constant]).astype(np.int64)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 257, 16384])
@pytest.mark.parametrize("epsilon", [0.0, 0.03, 1e5, 1e12])
def test_normalized_gives_the_bits_of_its_namesake_and_is_within_what_it_states(
    c: ctypes.CDLL, bits: int, count: int, epsilon: float
) -> None:
    rng = np.random.default_rng(count + bits)
    x = groups(rng, count, bits)
    if count > 1000:
        x = np.concatenate([x[:10], x[-20:]])
    total = x.sum(axis=1, keepdims=True)
    variance = count * (x * x).sum(axis=1, keepdims=True) - total * total
    made = epsilon_bits(epsilon, count, count * count * 4**bits // 4, "here")
    guard = guard_bits(count)
    got = normalized(x, normalizer_of(count, total, variance, made.value, made.precision, guard))
    flat = [np.broadcast_to(v, x.shape).reshape(-1) for v in (total, variance, x)]
    arguments = (
        count,
        flat[0].astype(np.int32),
        flat[1].astype(np.uint64),
        np.array([made.value], np.uint64),
        made.precision,
        guard,
        flat[2].astype(np.int32),
    )
    assert np.array_equal(got.reshape(-1), call(c.each_normalized, x.size, np.int32, *arguments))
    deviations = (x * count - total).astype(np.longdouble)
    root = np.sqrt(variance.astype(np.longdouble) + np.longdouble(epsilon) * count * count)
    want = np.divide(deviations, root, out=np.zeros_like(deviations), where=deviations != 0)
    unit = 2.0 ** (guard - 28)
    # The root's 2^-29 of what is normalized; epsilon to half a unit of 4^-precision of a variance of 1 or more.
    relative = 2.0**-29 + 4.0**-made.precision / np.maximum(root, 1) ** 2
    assert (np.abs(got * unit - want) <= np.abs(want) * relative + 2 * unit).all()
    assert np.abs(got).max() <= 2**28


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 15, 16, 17, 64, 65, 16384])
def test_guard_bits_hold_the_root_of_the_count(count: int) -> None:
    guard = guard_bits(count)
    assert 2.0**guard >= count**0.5
    assert guard == 0 or 2.0 ** (guard - 1) < count**0.5


def test_scale_and_bias_use_what_int32_has() -> None:
    made = scale_and_bias(np.array([40.0, -13.0]), np.array([3.0, 100.0]), 3, -5, "here")
    assert made.shift == 18
    assert made.multiplier.tolist() == [40 * 2**25, -13 * 2**25]
    assert made.offset.tolist() == [round((v - 4.5) * 2**18) for v in (3.0, 100.0)]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(QuantizationError) as caught:
        scale_and_bias(np.array([1.0]), np.array([1e10]), 3, 0, "Normalize 'n'")
    assert str(caught.value) == (
        "Normalize 'n': scale and bias are up to 1 and 1e+10 steps of the output, too large for int32; check the "
        "calibration data"
    )
    with pytest.raises(QuantizationError) as caught:
        epsilon_bits(1e40, 16, 2**30, "Normalize 'n'")
    assert str(caught.value) == (
        "Normalize 'n': epsilon is 1e+40 times the square of the input's scale; check the calibration data"
    )
