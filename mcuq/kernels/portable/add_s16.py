"""Add and Sub of int16 operands, which have zero point 0: sums of 64 bits."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs, operands
from mcuq.ops.add import Add


@dataclass(frozen=True)
class AddS16Constants(BroadcastConstants):
    """Operands of one shape, or that repeat along some dimensions."""

    template = "portable/add_s16"

    factor_a: int
    factor_b: int
    shift: int
    output_min: int
    output_max: int


def lower_add_s16(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides; one loop remains of them where nothing is repeated."""
    parameters = op.parameters_s16(layer, operands(layer))
    output_min, output_max = op.output_bounds(layer.output)
    constants = AddS16Constants(
        **broadcast_loops(layer), **vars(parameters), output_min=output_min, output_max=output_max
    )
    return (Call(constants, *operand_inputs(layer)),)
