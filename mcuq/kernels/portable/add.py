"""Add and Sub of int8: one loop, or loops with strides."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs, operands
from mcuq.kernels.weighted_sum import weighted_sum_fields
from mcuq.ops.add import Add


@dataclass(frozen=True)
class _WeightedSumConstants(Constants):
    factor_a: int
    factor_b: int
    constant: int
    shift: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class AddConstants(_WeightedSumConstants):
    """Operands of one shape."""

    template = "portable/add"

    elements: int


@dataclass(frozen=True)
class AddBroadcastConstants(BroadcastConstants, _WeightedSumConstants):
    """Operands that repeat along some dimensions."""

    template = "portable/add_broadcast"


def _lower(op: Add, layer: Layer, constants: Constants) -> tuple[Call, ...]:
    inputs, arrays = operand_inputs(layer)
    p = op.parameters(layer, operands(layer))
    bound = 128 * (abs(p.factor_a) + abs(p.factor_b)) + abs(p.constant)
    return (Call(constants, inputs, arrays, bound=bound),)


def lower_add(op: Add, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return _lower(op, layer, AddConstants(**weighted_sum_fields(op, layer), elements=layer.output.elements))


def lower_add_broadcast(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides."""
    constants = AddBroadcastConstants(**weighted_sum_fields(op, layer), **broadcast_loops(layer))
    return _lower(op, layer, constants)
