"""Add and Sub of int8 in units of the output's step, and CPUs' kernels of whole tensors of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.operands import operand_inputs, operands
from mcuq.ops.add import Add


@dataclass(frozen=True)
class WeightedSumConstants(Constants):
    """Operands of one shape."""

    elements: int
    factor_a: int
    factor_b: int
    constant: int
    shift: int
    output_min: int
    output_max: int


def weighted_sum_call(kind: type[WeightedSumConstants], op: Add, layer: Layer) -> Call:
    """Constants alone, and an operand if it is one."""
    numbers = weighted_sum_fields(op, layer, operands(layer))
    constants = kind(elements=layer.output.elements, **numbers)
    return Call(constants, *operand_inputs(layer), bound=weighted_sum_bound(numbers))


def weighted_sum_fields(op: Add, layer: Layer, order: tuple[int, int]) -> dict[str, int]:
    """`factor_a`, `factor_b`, `constant`, `shift`, `output_min` and `output_max`, with the operands in this order."""
    output_min, output_max = op.output_bounds(layer.output)
    return {**vars(op.parameters(layer, order)), "output_min": output_min, "output_max": output_max}


def weighted_sum_bound(numbers: Mapping[str, int]) -> int:
    """The largest magnitude of the sum."""
    return 128 * (abs(numbers["factor_a"]) + abs(numbers["factor_b"])) + abs(numbers["constant"])
