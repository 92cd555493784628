"""Many inputs that become one output: C that is pasted into loops over windows and over dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Clamped
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Fragment
from mcuq.ops.power_sum import PowerSum

_DIFFERENCE = "const int32_t difference = x[i] - x_zero_point;\n"
_SIZE = "acc += difference < 0 ? -difference : difference;"
_SQUARE = "acc += difference * difference;"
_POWER = """\
const {c_type} size = difference < 0 ? -difference : difference;
{c_type} each = size;
for (int32_t factors = 1; factors < power; factors++)
    each *= size;
acc += each;"""
_SIZE_FLOAT32 = "acc = acc + (x[i] < 0.0f ? -x[i] : x[i]);"
_POWER_FLOAT32 = """\
const float size = x[i] < 0.0f ? -x[i] : x[i];
float each = size;
for (int32_t factors = 1; factors < power; factors++)
    each = each * size;
acc = acc + each;"""
_SQUARE_FLOAT32 = "const float square = x[i] * x[i];\nacc = acc + square;"
_ROOT = "const int32_t root = mcuq_integer_root((uint64_t)acc << root_shift);"
_POWER_ROOT = "const int32_t root = mcuq_integer_power_root((uint64_t)acc << root_shift, power);"


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


def norm(op: Clamped, sums: PowerSum, name: str) -> tuple[Reduction, int]:
    """Sums of sizes, squares or other powers, and their root; the largest magnitude of an accumulator."""
    layer = sums.layer
    if layer.output.quant is None:
        if sums.power > 2:
            return _higher_float32(op, sums.power, f"{name}_power_float32"), 0
        value, *needs = ("mcuq_square_root(acc)", "mcuq_square_root") if sums.has_root else ("acc",)
        tap_float32 = _SIZE_FLOAT32 if sums.power == 1 else _SQUARE_FLOAT32
        return summed_float32(op, value, f"{name}_float32", tap_float32, *needs), 0
    total = Sum(op, layer, sums.requantization, sums.bound)
    first = replace(total, bound=sums.sum_bound)
    begin = Fragment(f"{first.c_type} acc = 0;", name=total.named(name) or name)
    each = {1: _SIZE, 2: _SQUARE}.get(sums.power, _POWER.format(c_type=first.c_type))
    tap = Fragment(_DIFFERENCE + each).naming(x_zero_point=layer.inputs[0].zero_point)
    if sums.power > 2:
        tap = tap.naming(power=sums.power)
    if not sums.has_root:
        return Reduction(begin, tap, total.stored("acc", "*y++")), first.bound
    numbers = {"root_shift": sums.power * sums.root_bits}
    if sums.power > 2:
        root = Fragment.of(_POWER_ROOT, "mcuq_integer_power_root", numbers=numbers)
    else:
        root = Fragment.of(_ROOT, "mcuq_integer_root", numbers=numbers)
    return Reduction(begin, tap, root.followed_by(total.stored("root", "*y++"))), first.bound


def _higher_float32(op: Clamped, power: int, name: str) -> Reduction:
    """Sums of a power from 3 on, and their root."""
    found = summed_float32(op, "mcuq_power(acc, inverse_power)", name, _POWER_FLOAT32, "mcuq_power")
    end = found.end.naming({"inverse_power": float32(1 / power)})
    return replace(found, tap=found.tap.naming(power=power), end=end)


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
