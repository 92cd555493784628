"""Means over leading dimensions, four neighbours at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.reduction import MOST_TAPS, summed_fours
from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.mean import Mean


@dataclass(frozen=True)
class ReduceDspConstants(Constants):
    """x (outer, reduced, inner) -> y (outer, inner), with at most MOST_TAPS reduced and a whole word of inner; `begin`,
    `tap` and `end` are a Reduction."""

    template = "dsp/reduce"

    outer: int
    reduced: int
    inner: int
    begin: Fragment
    tap: Fragment
    end: Fragment


def is_mean_dsp(op: Mean, layer: Layer) -> bool:
    """Layers of lower_mean_dsp."""
    _, reduced, inner = op.sizes(layer)
    return reduced <= MOST_TAPS and inner >= 4


def lower_mean_dsp(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    sizes = op.sizes(layer)
    total = Sum(op, layer, op.requantization(layer), 255 * sizes[1])
    mean = summed_fours(total, "multiplier", "mean")
    mean = replace(mean, end=mean.end.naming(bias=-sizes[1] * layer.inputs[0].zero_point))
    return (Call(ReduceDspConstants(*sizes, **vars(mean)), bound=total.bound),)
