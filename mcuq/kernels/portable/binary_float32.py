"""Add, Sub and Mul of floats: one sum or product, rounded once, and limits."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs, operands
from mcuq.ops.add import Add
from mcuq.ops.binary import Binary


@dataclass(frozen=True)
class MulFloat32Constants(BroadcastConstants):
    """Operands that may repeat along some dimensions."""

    template = "portable/mul_float32"
    computes_in_float = True

    minimum: float
    maximum: float


@dataclass(frozen=True)
class AddFloat32Constants(BroadcastConstants):
    """Signs are 1 or -1, so that times them is exact."""

    template = "portable/add_float32"
    computes_in_float = True

    sign_a: float
    sign_b: float
    minimum: float
    maximum: float


def lower_add_float32(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides, one where both operands are of the output's shape."""
    sign_a, sign_b = (float(op.signs[i]) for i in operands(layer))
    constants = AddFloat32Constants(
        **broadcast_loops(layer),
        sign_a=sign_a,
        sign_b=sign_b,
        minimum=float32(op.minimum),
        maximum=float32(op.maximum),
    )
    return (Call(constants, *operand_inputs(layer)),)


def lower_mul_float32(op: Binary, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides, one where both operands are of the output's shape."""
    constants = MulFloat32Constants(**broadcast_loops(layer), minimum=float32(op.minimum), maximum=float32(op.maximum))
    return (Call(constants, *operand_inputs(layer)),)
