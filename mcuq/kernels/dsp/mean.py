"""Means over leading dimensions, four neighbours at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.pool import MOST_TAPS
from mcuq.kernels.kernel import Call
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class MeanDspConstants(RequantizedConstants):
    """x (outer, reduced, inner) -> y (outer, inner), with at most MOST_TAPS reduced and a whole word of inner."""

    template = "dsp/mean"

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
