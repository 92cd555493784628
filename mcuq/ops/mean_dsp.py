"""Means over leading dimensions, four neighbours at a time (firmware/mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from mcuq.graph.operator import Call, Layer
from mcuq.ops.pool_dsp import MOST_TAPS
from mcuq.ops.requantized import RequantizedConstants, requantized

if TYPE_CHECKING:
    from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class MeanDspConstants(RequantizedConstants):
    """x (outer, reduced, inner) -> y (outer, inner), with at most MOST_TAPS reduced and a whole word of inner."""

    template = "mean_dsp"

    outer: int
    reduced: int
    inner: int
    bias: int
    multiplier: int


def _sizes(op: Mean, layer: Layer) -> tuple[int, int, int]:
    shape = layer.inputs[0].shape
    first, last = op.span(shape)
    return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])


def is_mean_dsp(op: Mean, layer: Layer) -> bool:
    """Layers of lower_mean_dsp."""
    _, reduced, inner = _sizes(op, layer)
    return reduced <= MOST_TAPS and inner >= 4


def lower_mean_dsp(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    outer, reduced, inner = _sizes(op, layer)
    requant = op.requantization(layer)
    constants = MeanDspConstants(
        **requantized(op, requant, layer.output),
        outer=outer,
        reduced=reduced,
        inner=inner,
        bias=-reduced * layer.inputs[0].zero_point,
        multiplier=requant.multiplier[0],
    )
    return (Call(constants, bound=255 * reduced),)
