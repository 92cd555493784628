"""Many inputs that become one output: C that is pasted into loops over windows and over dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Clamped
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Fragment


@dataclass(frozen=True)
class Reduction:
    """`begin` stands before the first input, `tap` takes each x[i], `end` assigns *y++."""

    begin: Fragment
    tap: Fragment
    end: Fragment


def summed(total: Sum, start: str, multiplier: str = "multiplier", name: str = "") -> Reduction:
    """The requantized sum of integers; where it starts and its multiplier are C."""
    begin = Fragment(f"{total.c_type} acc = {start};", name=name)
    return Reduction(begin, Fragment("acc += x[i];"), total.stored("acc", "*y++", multiplier))


def summed_float32(op: Clamped, value: str, name: str, tap: str = "acc = acc + x[i];", *needs: str) -> Reduction:
    """The sum of floats, one after the other, as `tap` adds them; `value` is what becomes of `acc`, limited, with the
    runtime items that it needs."""
    begin = Fragment("float acc = 0.0f;", name=name)
    return Reduction(begin, Fragment(tap), limited(op, value, "*y++", needs=needs))


def least(dtype: str, name: str) -> Reduction:
    """The least value, or the largest of the type where there is none."""
    c_type = C_TYPES[dtype]
    if dtype == "float32":
        begin = Fragment.of("float least = mcuq_infinity();", "mcuq_infinity", name=name)
    else:
        begin = Fragment(f"{c_type} least = {np.iinfo(dtype).max};", name=name)
    tap = Fragment(f"const {c_type} value = x[i];\nif (value < least)\n    least = value;")
    return Reduction(begin, tap, Fragment("*y++ = least;"))


def largest(dtype: str, name: str) -> Reduction:
    """The largest value, or the least of the type where there is none."""
    c_type = C_TYPES[dtype]
    if dtype == "float32":
        begin = Fragment.of("float largest = -mcuq_infinity();", "mcuq_infinity", name=name)
    else:
        begin = Fragment(f"{c_type} largest = {np.iinfo(dtype).min};", name=name)
    tap = Fragment(f"const {c_type} value = x[i];\nif (value > largest)\n    largest = value;")
    return Reduction(begin, tap, Fragment("*y++ = largest;"))
