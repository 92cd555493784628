"""Addition of whole tensors, four elements at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.operands import operand_inputs, operands
from mcuq.kernels.weighted_sum import weighted_sum_bound, weighted_sum_fields
from mcuq.ops.add import Add


@dataclass(frozen=True)
class AddDspConstants(Constants):
    """Operands of one shape."""

    template = "dsp/add"

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
    numbers = weighted_sum_fields(op, layer, operands(layer))
    constants = AddDspConstants(**numbers, elements=layer.output.elements)
    return (Call(constants, inputs, arrays, bound=weighted_sum_bound(numbers)),)
