"""Addition of whole tensors, four elements at a time (firmware/mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcuq.graph.operator import Call, Constants, Layer
from mcuq.ops.binary import operand_inputs, operands

if TYPE_CHECKING:
    from mcuq.ops.add import Add


@dataclass(frozen=True)
class AddDspConstants(Constants):
    """Operands of one shape."""

    template = "add_dsp"

    elements: int
    factor_a: int
    factor_b: int
    constant: int
    shift: int
    output_min: int
    output_max: int


def lower_add_dsp(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Constants alone, and an operand if it is one."""
    inputs, arrays = operand_inputs(layer)
    p = op.parameters(layer, operands(layer))
    constants = AddDspConstants(**op.common_constants(layer), elements=layer.output.elements)
    bound = 128 * (abs(p.factor_a) + abs(p.factor_b)) + abs(p.constant)
    return (Call(constants, inputs, arrays, bound=bound),)
