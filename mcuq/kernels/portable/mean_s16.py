"""Portable Mean of which input or output, or both, have 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import S16Constants, requantized_s16
from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class MeanS16Constants(S16Constants):
    """x (outer, reduced, inner) -> y (outer, inner)."""

    template = "portable/mean_s16"

    outer: int
    reduced: int
    inner: int
    bias: int
    multiplier: int


def lower_mean_s16(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """As lower_mean."""
    x = layer.inputs[0]
    first, last = op.span(x.shape)
    requant, bound = op.requantization(layer), op.bound(layer)
    constants = MeanS16Constants(
        **requantized_s16(op, layer, requant, bound),
        outer=prod(x.shape[:first]),
        reduced=prod(x.shape[first:last]),
        inner=prod(x.shape[last:]),
        bias=-op.count(layer) * x.zero_point,
        multiplier=requant.multiplier[0],
    )
    return (Call(constants, bound=bound),)
