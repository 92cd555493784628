"""Means over neighbouring dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class MeanConstants(RequantizedConstants):
    """x (outer, reduced, inner) -> y (outer, inner)."""

    template = "portable/mean"

    outer: int
    reduced: int
    inner: int
    bias: int
    multiplier: int


def lower_mean(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """The reduced dimensions are neighbours: a pass has seen to it."""
    x, y = layer.inputs[0], layer.output
    shape = x.shape
    first, last = op.span(shape)
    reduced = prod(shape[first:last])
    requant = op.requantization(layer)
    constants = MeanConstants(
        **requantized(op, requant, y),
        outer=prod(shape[:first]),
        reduced=reduced,
        inner=prod(shape[last:]),
        bias=-reduced * x.zero_point,
        multiplier=requant.multiplier[0],
    )
    return (Call(constants, bound=op.bound(layer)),)
