"""Addition of whole tensors for Armv8.1-M with MVE: four elements in the lanes of a vector."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.mve.requantized import MVE
from mcuq.kernels.operands import is_flat, operand_inputs, operands
from mcuq.kernels.weighted_sum import weighted_sum_fields
from mcuq.ops.add import Add


@dataclass(frozen=True)
class AddMveConstants(Constants):
    """Operands of one shape."""

    template = "mve/add"

    elements: int
    factor_a: int
    factor_b: int
    constant: int
    shift: int
    output_min: int
    output_max: int


def lower_add(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Constants alone, and an operand if it is one."""
    inputs, arrays = operand_inputs(layer)
    p = op.parameters(layer, operands(layer))
    constants = AddMveConstants(**weighted_sum_fields(op, layer), elements=layer.output.elements)
    bound = 128 * (abs(p.factor_a) + abs(p.factor_b)) + abs(p.constant)
    return (Call(constants, inputs, arrays, bound=bound),)


ADD_KERNELS = (Kernel(lower_add, MVE, lambda op, layer: is_flat(layer)),)
