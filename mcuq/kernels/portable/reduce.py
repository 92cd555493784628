"""Many values that become one along neighbouring dimensions, of any type: Mean, and AveragePool of a whole image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.reduction import Reduction, summed, summed_float32
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.mean import Mean, mean_sizes


@dataclass(frozen=True)
class ReduceConstants(Constants):
    """x (outer, reduced, inner) -> y (outer, inner); `begin`, `tap` and `end` are a Reduction."""

    template = "portable/reduce"

    x_type: str
    y_type: str
    outer: int
    reduced: int
    inner: int
    begin: Fragment
    tap: Fragment
    end: Fragment


def lower_mean(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """The reduced dimensions are neighbours: a pass has seen to it."""
    sizes = mean_sizes(op, layer)
    if layer.output.quant is None:
        mean = summed_float32(op, "inverse_count", "mean_float32")
        end = mean.end.naming({"inverse_count": float32(1 / sizes[1])})
        return (Call(_constants(layer, sizes, replace(mean, end=end))),)
    return (_mean(Sum(op, layer, op.requantization(layer), op.bound(layer)), sizes),)


def accepts_whole_image(op: AveragePool, layer: Layer) -> bool:
    """One window, which is the image."""
    return op.window.kernel == layer.inputs[0].shape[1:3] and not any(op.window.pads)


def lower_whole_image(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """A mean over rows and columns."""
    batch, height, width, channels = layer.inputs[0].shape
    _, requant = op.requantization(layer)
    return (_mean(Sum(op, layer, requant, op.bound(layer)), (batch, height * width, channels)),)


def _mean(total: Sum, sizes: tuple[int, int, int]) -> Call:
    mean = summed(total, "bias", name="mean")
    bias = -sizes[1] * total.layer.inputs[0].zero_point
    mean = replace(mean, begin=mean.begin.naming(bias=bias))
    return Call(_constants(total.layer, sizes, mean), bound=total.bound)


def _constants(layer: Layer, sizes: tuple[int, int, int], reduction: Reduction) -> ReduceConstants:
    x, y = layer.inputs[0], layer.output
    return ReduceConstants(C_TYPES[x.dtype], C_TYPES[y.dtype], *sizes, **vars(reduction))
