"""Add and Sub of int16 operands, which have zero point 0: sums of 64 bits."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs, operands
from mcuq.ops.add import Add


@dataclass(frozen=True)
class WideAddConstants(BroadcastConstants):
    """Operands of one shape, or that repeat along some dimensions."""

    template = "portable/add_s16"

    factor_a: int
    factor_b: int
    shift: int
    output_min: int
    output_max: int


def lower_add_wide(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides; one loop remains of them where nothing is repeated."""
    parameters = op.wide_parameters(layer, operands(layer))
    output_min, output_max = op.output_bounds(layer.output)
    constants = WideAddConstants(
        **broadcast_loops(layer), **vars(parameters), output_min=output_min, output_max=output_max
    )
    return (Call(constants, *operand_inputs(layer)),)
