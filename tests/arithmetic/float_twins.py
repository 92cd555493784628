"""Functions of one float, in NumPy and in C side by side."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from mcuq.graph.tensor import Array

FloatFunction = Callable[[Array], Array]

UNFUSED = """
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize ("fp-contract=off")
#endif
"""


def loops(names: Iterable[str], arguments: Mapping[str, str]) -> str:
    """C functions each_NAME that apply mcuq_NAME to arrays; `arguments` are those behind x."""
    return "".join(
        f"""
void each_{name}(int64_t n, const float *x, float *y)
{{
    for (int64_t i = 0; i < n; i++)
        y[i] = mcuq_{name}(x[i]{arguments.get(name, "")});
}}
"""
        for name in names
    )


def pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def run_loop(library: ctypes.CDLL, name: str, x: Array) -> Array:
    """What the C function each_NAME gives for float32 `x`."""
    y = np.empty_like(x)
    getattr(library, f"each_{name}")(ctypes.c_int64(x.size), pointer(x), pointer(y))
    return y


def floats() -> Array:
    """float32 numbers of all exponents, both signs and all kinds, and many of the size that functions care about."""
    rng = np.random.default_rng(0)
    any_bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    near = rng.uniform(-100, 100, 200_000).astype(np.float32)
    small = rng.uniform(-1, 1, 100_000).astype(np.float32)
    corners = np.array([0, -0.0, np.inf, -np.inf, np.nan, 0.625, -0.625, 88.72283, 88.72284, -87.33654, -87.33655], "f")
    tiny = np.arange(-40, 40).astype(np.int32)
    around = (corners[5:].view(np.int32)[:, None] + tiny).reshape(-1).view(np.float32)
    return np.concatenate([any_bits, near, small, corners, around, -np.arange(-20, 20, dtype=np.float32)])


def assert_same_bits(want: Array, got: Array, x: Array) -> None:
    different = np.flatnonzero(want.view(np.uint32) != got.view(np.uint32))
    assert different.size == 0, f"x={x[different[0]]!r}: want {want[different[0]]!r}, got {got[different[0]]!r}"


def units_off(got: Array, exact: Array, least: float = 2.0**-126) -> Array:
    """Errors of float32 results in units in the last place of the exact ones, float64, which count as `least` at least.

    What is less than 2^-126 may be taken for 0.
    """
    off = np.maximum(np.abs(got - exact) - np.where(np.abs(exact) < 2.0**-126, 2.0**-126, 0), 0)
    return off / np.spacing(np.maximum(np.abs(exact), least).astype(np.float32)).astype(np.float64)
