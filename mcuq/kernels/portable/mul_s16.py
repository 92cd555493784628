"""Mul of int16 operands, which have zero point 0."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.operands import BroadcastConstants, broadcast_loops, operand_inputs
from mcuq.ops.mul import Mul


@dataclass(frozen=True)
class MulS16Constants(BroadcastConstants):
    """Operands of one shape, or that repeat along some dimensions."""

    template = "portable/mul_s16"

    multiplier: int
    prescale: int
    shift: int
    output_min: int
    output_max: int


def lower_mul_s16(op: Mul, layer: Layer) -> tuple[Call, ...]:
    """Loops with strides; one loop remains of them where nothing is repeated."""
    requant = op.requantization(layer)
    output_min, output_max = op.output_bounds(layer.output)
    constants = MulS16Constants(
        **broadcast_loops(layer),
        multiplier=requant.multiplier[0],
        prescale=requant.prescale,
        shift=requant.shift,
        output_min=output_min,
        output_max=output_max,
    )
    return (Call(constants, *operand_inputs(layer), bound=op.bound(layer)),)
