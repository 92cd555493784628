"""Outputs that are requantized sums: what their inputs and accumulators can reach."""

from __future__ import annotations

from mcuq.arithmetic.int8 import INT32_MAX, Requantization, requantize_s16
from mcuq.arithmetic.int16 import requantize_long
from mcuq.graph.operator import Clamped
from mcuq.graph.tensor import Array, Tensor


def requantize_output(
    op: Clamped, acc: Array, requant: Requantization, bound: int, y: Tensor, zero_point: int | None = None
) -> Array:
    """The values of `y` from accumulators of magnitudes up to `bound` (last axis: channels), and of `zero_point`, which
    is y's unless it is given."""
    requantize = requantize_long if bound > INT32_MAX else requantize_s16
    q = requantize(acc, requant, y.zero_point if zero_point is None else zero_point, *op.output_bounds(y))
    return q.astype(y.dtype)


def least_step(unit: float, bound: int) -> float:
    """The smallest step of outputs that are sums of `unit` each and magnitudes up to `bound`: sums beyond int32 are
    multiplied by less than 1. That is no loss, as they have no finer steps."""
    return unit * (1 + 2.0**-20) if bound > INT32_MAX else 0.0


def largest_difference(x: Tensor) -> int:
    """The largest magnitude that x - zero_point can have for any zero point of its type."""
    low, high = x.quantization.bounds
    return high - low if x.dtype == "int8" else -low
