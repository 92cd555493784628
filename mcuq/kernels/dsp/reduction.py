"""Reductions of four channels at a time, whose inputs come in words (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import replace

from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.reduction import Reduction

# 256 * -128 is the least that 16 bits hold.
MOST_TAPS = 256


def summed_fours(total: Sum, multiplier: str, name: str) -> Reduction:
    """The requantized sums of at most MOST_TAPS words and `bias`; `multiplier` is C."""
    even = total.stored("(int16_t)(even >> 8 * k) + bias", "y[oc + k]", multiplier)
    odd = total.stored("(int16_t)(odd >> 8 * k) + bias", "y[oc + k + 1]", multiplier)
    both = f"for (int32_t k = 0; k < 4; k += 2) {{\n    {even.text}\n    {odd.text}\n}}"
    return Reduction(
        Fragment(f"uint32_t even = 0, odd = 0; /* at most {MOST_TAPS} terms: sums of 16 bits */", name=name),
        Fragment(
            "even = mcuq_dsp_add_even(even, word);\nodd = mcuq_dsp_add_odd(odd, word);",
            needs=("mcuq_dsp_add_even", "mcuq_dsp_add_odd"),
        ),
        replace(even, text=both),
    )


def largest_fours(name: str) -> Reduction:
    """The largest of each."""
    return Reduction(
        Fragment("uint32_t largest = 0x80808080u;", name=name),
        Fragment.of("largest = mcuq_dsp_max(largest, word);", "mcuq_dsp_max"),
        Fragment.of("mcuq_dsp_store(y + oc, largest, channels % 4 == 0);", "mcuq_dsp_store"),
    )
