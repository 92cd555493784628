"""Constants of kernels that end in a requantization."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic import Requantization
from mcuq.operator import Clamped, Constants
from mcuq.tensor import Tensor


@dataclass(frozen=True)
class RequantizedConstants(Constants):
    """What mcuq_requantize needs beside the accumulator and its multiplier."""

    y_zero_point: int
    prescale: int
    shift: int
    output_min: int
    output_max: int


def requantized(op: Clamped, requant: Requantization, y: Tensor) -> dict[str, int]:
    """The fields of RequantizedConstants."""
    output_min, output_max = op.output_bounds(y)
    return {
        "y_zero_point": y.zero_point,
        "prescale": requant.prescale,
        "shift": requant.shift,
        "output_min": output_min,
        "output_max": output_max,
    }
