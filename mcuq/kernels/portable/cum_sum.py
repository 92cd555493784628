"""CumSum: one accumulator along the dimension, stored at each place."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.from_integers import reach


@dataclass(frozen=True)
class CumSumConstants(Constants):
    """x and y (outer, count, inner), from place `first` on by `step`; `begin` declares acc, `tap` takes x[i] and
    assigns y[i]."""

    template = "portable/cum_sum"

    x_type: str
    y_type: str
    outer: int
    count: int
    inner: int
    first: int
    step: int
    begin: Fragment
    tap: Fragment


def lower_cum_sum(op: CumSum, layer: Layer) -> tuple[Call, ...]:
    """Codes, integers that stand for themselves, or floats."""
    x, y = layer.inputs[0], layer.output
    bound = 0
    if y.quant is None:
        begin, add = Fragment("float acc = 0.0f;", name="cum_sum_float32"), Fragment("acc = acc + x[i];")
        store = limited(op, "acc", "y[i]")
    elif y.integers is not None:
        low, high = reach(y)
        begin, add = Fragment("int64_t acc = 0;", name="cum_sum_integers"), Fragment("acc += x[i];")
        text = f"y[i] = ({C_TYPES[y.dtype]})mcuq_within_long(acc, low, high);"
        store = Fragment.of(text, "mcuq_within_long", numbers={"low": low, "high": high})
    else:
        bound = op.bound(layer)
        total = Sum(op, layer, op.requantization(layer), bound)
        begin = Fragment(f"{total.c_type} acc = 0;", name=total.named("cum_sum") or "cum_sum")
        add = Fragment.of("acc += x[i] - x_zero_point;", numbers={"x_zero_point": x.zero_point})
        store = total.stored("acc", "y[i]")
    outer, count, inner = op.sizes(layer)
    constants = CumSumConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        outer,
        count,
        inner,
        first=count - 1 if op.reverse else 0,
        step=-1 if op.reverse else 1,
        begin=begin,
        tap=store.followed_by(add) if op.exclusive else add.followed_by(store),
    )
    return (Call(constants, bound=bound),)
