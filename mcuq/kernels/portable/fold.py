"""The mean of a whole image, whose rows come a few at a time: sums of 32 bits are held between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import Call, Constants, Fragment, RowsOf
from mcuq.kernels.portable.reduce import accepts_whole_image
from mcuq.kernels.reduction import summed
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.mean import Mean

SUM_BYTES = 4


@dataclass(frozen=True)
class FoldConstants(Constants):
    """`rows` of `in_all` are added behind `before` others; `begin`, `tap` and `end` are a Reduction."""

    template = "portable/fold"

    x_type: str
    y_type: str
    rows: int
    before: int
    in_all: int
    width: int
    channels: int
    begin: Fragment
    tap: Fragment
    end: Fragment


def fold_call(layer: Layer, axis: int) -> Call | None:
    """The call that takes rows along `axis` of the layer's input; None where the layer is no mean of all pixels, or of
    longer sums. Scratch, which is to stay as it is between calls, has a sum for each channel."""
    op, x, y = layer.op, layer.inputs[0], layer.output
    if axis >= len(x.shape) - 1:  # the axis of a layer of another rank that merely stands before this one
        return None
    if y.quant is None or x.quant is None or prod(x.shape[:axis]) != 1 or y.elements != x.shape[-1]:
        return None
    if isinstance(op, AveragePool) and accepts_whole_image(op, layer):
        _, requant = op.requantization(layer)
        taken, added = op.zero_points(layer)
        total = Sum(op, layer, requant, op.bound(layer), added)
    elif isinstance(op, Mean) and op.count(layer) * x.shape[-1] == x.elements:
        taken, total = x.zero_point, Sum(op, layer, op.requantization(layer), op.bound(layer))
    else:
        return None
    if total.bound > INT32_MAX:
        return None
    sums = summed(total, "bias", name="fold")
    pixels = x.elements // x.shape[-1]
    constants = FoldConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        rows=0,
        before=0,
        in_all=x.shape[axis],
        width=pixels // x.shape[axis],
        channels=x.shape[-1],
        **{**vars(sums), "begin": sums.begin.naming(bias=-pixels * taken)},
    )
    rows = (RowsOf("rows", 0, 1), RowsOf("before", 3, 1))
    return Call(constants, scratch_bytes=SUM_BYTES * x.shape[-1], bound=total.bound, rows=rows)
