"""What kernels are given that end in a requantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcuq.arithmetic.int8 import INT32_MAX, Requantization
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.tensor import Tensor
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Constants


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


def has_s16(op: Operator, layer: Layer) -> bool:
    """Whether an activation has 16 bits."""
    return any(t.dtype == "int16" for t in (*layer.activations, layer.output))


@dataclass(frozen=True)
class S16Constants(RequantizedConstants):
    """What kernels need that read and write 8 or 16 bits: C types of input, output and sums.

    `is_long` says that sums are of 64 bits, and so what mcuq_requantize_sum does.
    """

    x_type: str
    y_type: str
    sum_type: str
    is_long: int


def requantized_s16(op: Clamped, layer: Layer, requant: Requantization, bound: int) -> dict[str, Any]:
    """The fields of S16Constants, for accumulators of magnitudes up to `bound`."""
    is_long = bound > INT32_MAX
    return {
        **requantized(op, requant, layer.output),
        "x_type": C_TYPES[layer.inputs[0].dtype],
        "y_type": C_TYPES[layer.output.dtype],
        "sum_type": "int64_t" if is_long else "int32_t",
        "is_long": int(is_long),
    }
