"""Mul of int8: one loop, or loops with strides."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs, operands
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.mul import Mul


@dataclass(frozen=True)
class _ProductConstants(RequantizedConstants):
    a_zero_point: int
    b_zero_point: int
    multiplier: int


@dataclass(frozen=True)
class MulConstants(_ProductConstants):
    """Operands of one shape."""

    template = "portable/mul"

    elements: int


@dataclass(frozen=True)
class MulBroadcastConstants(BroadcastConstants, _ProductConstants):
    """Operands that repeat along some dimensions."""

    template = "portable/mul_broadcast"


def lower_mul(op: Mul, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    constants = MulConstants(**_product_fields(op, layer), elements=layer.output.elements)
    return (Call(constants, *operand_inputs(layer), bound=op.bound(layer)),)


def lower_mul_broadcast(op: Mul, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides."""
    constants = MulBroadcastConstants(**_product_fields(op, layer), **broadcast_loops(layer))
    return (Call(constants, *operand_inputs(layer), bound=op.bound(layer)),)


def _product_fields(op: Mul, layer: Layer) -> dict[str, int]:
    """The fields of _ProductConstants."""
    a, b = (layer.inputs[i] for i in operands(layer))
    requant = op.requantization(layer)
    return {
        **requantized(op, requant, layer.output),
        "a_zero_point": a.zero_point,
        "b_zero_point": b.zero_point,
        "multiplier": requant.multiplier[0],
    }
