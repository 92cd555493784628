"""Addition of whole tensors for Armv8.1-M with MVE: four elements in the lanes of a vector."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.mve.requantized import MVE
from mcuq.kernels.operands import is_flat, operand_inputs, operands
from mcuq.kernels.weighted_sum import weighted_sum_bound, weighted_sum_fields
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
    numbers = weighted_sum_fields(op, layer, operands(layer))
    constants = AddMveConstants(**numbers, elements=layer.output.elements)
    return (Call(constants, inputs, arrays, bound=weighted_sum_bound(numbers)),)


ADD_KERNELS = (Kernel(lower_add, MVE, is_flat),)
