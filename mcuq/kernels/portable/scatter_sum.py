"""ScatterSum: sums in working memory, one for each place, stored at the end."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.from_integers import reach
from mcuq.ops.scatter_sum import ScatterSum


@dataclass(frozen=True)
class ScatterSumConstants(Constants):
    """x and indices (outer, count, inner) -> y (outer, size, inner); `add` takes *x into `sum`, `store` assigns y[oc]
    from acc."""

    template = "portable/scatter_sum"

    inputs: str
    sum_type: str
    y_type: str
    outer: int
    size: int
    inner: int
    count: int
    add: Fragment
    store: Fragment


_BYTES = {"float": 4, "int32_t": 4, "int64_t": 8}


def lower_scatter_sum(op: ScatterSum, layer: Layer) -> tuple[Call, ...]:
    """Codes, integers that stand for themselves, or floats."""
    x, y, bound = layer.inputs[0], layer.output, 0
    if y.quant is None:
        sum_type, add = "float", Fragment("*sum = *sum + *x++;", name="scatter_sum_float32")
        store = limited(op, "acc", "y[oc]")
    elif y.integers is not None:
        low, high = reach(y)
        sum_type, add = "int64_t", Fragment("*sum += *x++;", name="scatter_sum_integers")
        text = f"y[oc] = ({C_TYPES[y.dtype]})mcuq_within_long(acc, low, high);"
        store = Fragment.of(text, "mcuq_within_long", numbers={"low": low, "high": high})
    else:
        bound = op.bound(layer)
        total = Sum(op, layer, op.requantization(layer), bound)
        sum_type = total.c_type
        name = total.named("scatter_sum") or "scatter_sum"
        add = Fragment.of("*sum += *x++ - x_zero_point;", name=name, numbers={"x_zero_point": x.zero_point})
        store = total.stored("acc", "y[oc]")
    outer, count, inner = op.sizes(layer)
    order = sorted((0, 1), key=lambda index: layer.inputs[index].is_constant)
    names = ("x", "indices")
    constants = ScatterSumConstants(
        pointers({names[index]: layer.inputs[index].dtype for index in order}),
        sum_type,
        C_TYPES[y.dtype],
        outer,
        op.size,
        inner,
        count,
        add,
        store,
    )
    arrays = {names[index]: layer.inputs[index].values for index in order if layer.inputs[index].is_constant}
    inputs = tuple(index for index in order if not layer.inputs[index].is_constant)
    return (Call(constants, inputs, arrays, scratch_bytes=_BYTES[sum_type] * op.size * inner, bound=bound),)
