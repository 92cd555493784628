"""What kernels are given that end in a requantization."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.int8 import Requantization
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.tensor import Tensor
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
