"""ShiftIn: what stays moves to the front, and the new behind it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.shift_in import ShiftIn


@dataclass(frozen=True)
class ShiftInConstants(Constants):
    """x (outer, kept + added) and new (outer, added) -> y (outer, kept + added)."""

    template = "portable/shift_in"

    element_type: str
    outer: int
    kept: int
    added: int


def lower_shift_in(op: ShiftIn, layer: Layer) -> tuple[Call, ...]:
    """In the memory of x or elsewhere."""
    x, new = (t.shape for t in layer.inputs)
    added = prod(new[op.axis :])
    constants = ShiftInConstants(
        C_TYPES[layer.output.dtype], outer=prod(x[: op.axis]), kept=prod(x[op.axis :]) - added, added=added
    )
    return (Call(constants, inputs=(0, 1)),)
