"""Requantization by a shift alone: layers whose factors to the output are powers of two need no multiplication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import has_s16

MOST = 31
Lower = Callable[[Any, Layer], tuple[Call, ...]]


def with_shifts(lower: Lower) -> Lower:
    """`lower` with calls whose `multiplier` holds shifts, and whose constants say so, where that gives the same bits.

    For kernels that end in mcuq_requantize or mcuq_requantize_short, which sums for 16 bits do not: Cortex-M0 takes 12
    to 21 instructions for the high word of a product that they save.
    """

    @wraps(lower)
    def lowered(op: Any, layer: Layer) -> tuple[Call, ...]:
        calls = lower(op, layer)
        return calls if has_s16(op, layer) else tuple(_shifted(call) for call in calls)

    return lowered


def _shifted(call: Call) -> Call:
    """The call, by shifts where all its multipliers are powers of two, or 0, and no rounding half overflows."""
    numbers = call.constants.numbers()
    shifts = right_shifts(call.arrays["multiplier"], numbers["shift"], numbers.get("prescale", 0), call.bound)
    if shifts is None:
        return call
    told = {"prescale": -1, "shift": 0} if "prescale" in numbers else {"is_narrow": 0, "shift": 0}
    constants = call.constants.with_numbers(told)
    return replace(call, constants=constants, arrays={**call.arrays, "multiplier": shifts})


def right_shifts(multiplier: Array, shift: int, prescale: int, bound: int) -> Array | None:
    """int32, one a channel: t in 1..31 with acc * multiplier / 2^(32 + shift - prescale) = acc / 2^t for all |acc| <=
    bound; None where there are none.

    Beyond 31, and for the multiplier 0, every |acc| <= 2^30 rounds to 0, as it does for 31.
    """
    m = multiplier.astype(np.int64)
    if (m & (m - 1)).any():
        return None
    exponent = np.array([int(value).bit_length() - 1 for value in m])
    shifts = np.where(m > 0, 32 + shift - prescale - exponent, MOST + 1)
    if shifts.min() < 1:
        return None
    if shifts.max() > MOST and bound >= 2**30:
        return None
    shifts = np.minimum(shifts, MOST)
    if bound + (1 << (int(shifts.max()) - 1)) > INT32_MAX:
        return None
    return shifts.astype(np.int32)
