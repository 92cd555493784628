"""Add, Sub and Mul of floats: one sum or product, rounded once, and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, float32
from mcuq.graph.operator import Call, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.binary import Binary, BroadcastConstants, broadcast_loops, operand_inputs, operands

if TYPE_CHECKING:
    from mcuq.ops.add import Add


@dataclass(frozen=True)
class MulFloatConstants(BroadcastConstants):
    """Operands that may repeat along some dimensions."""

    template = "mul_float"
    computes_in_float = True

    minimum: float
    maximum: float


@dataclass(frozen=True)
class AddFloatConstants(BroadcastConstants):
    """Signs are 1 or -1, so that times them is exact."""

    template = "add_float"
    computes_in_float = True

    sign_a: float
    sign_b: float
    minimum: float
    maximum: float


def lower_add_float(op: Add, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides, one where both operands are of the output's shape."""
    sign_a, sign_b = (float(op.signs[i]) for i in operands(layer))
    constants = AddFloatConstants(
        **broadcast_loops(layer),
        sign_a=sign_a,
        sign_b=sign_b,
        minimum=float32(op.minimum),
        maximum=float32(op.maximum),
    )
    return (Call(constants, *operand_inputs(layer)),)


def lower_mul_float(op: Binary, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides, one where both operands are of the output's shape."""
    constants = MulFloatConstants(**broadcast_loops(layer), minimum=float32(op.minimum), maximum=float32(op.maximum))
    return (Call(constants, *operand_inputs(layer)),)


def simulate_add_float(op: Add, inputs: Sequence[Array]) -> Array:
    """a + b or a - b in float32."""
    a, b = (x * np.float32(sign) for x, sign in zip(inputs, op.signs, strict=True))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return clamp_float(a + b, op.minimum, op.maximum)


def simulate_mul_float(op: Binary, inputs: Sequence[Array]) -> Array:
    """a * b in float32."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return clamp_float(inputs[0] * inputs[1], op.minimum, op.maximum)
