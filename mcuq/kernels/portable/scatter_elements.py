"""ScatterElements: a copy, and elements put into it where indices say."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.portable.strided import READ, strided_loops
from mcuq.ops.scatter_elements import ScatterElements


@dataclass(frozen=True)
class ScatterElementsConstants(Constants):
    """updates (outer, count, inner) -> y (outer, size, inner), by as many indices; `store` puts one at row * inner +
    i."""

    template = "portable/scatter_elements"

    inputs: str
    element_type: str
    outer: int
    size: int
    inner: int
    count: int
    store: Fragment


_STORES = {
    "none": Fragment("y[row * inner + i] = *updates++;", name="scatter_elements"),
    **{
        reduction: Fragment(
            f"if (*updates {relation} y[row * inner + i])\n    y[row * inner + i] = *updates;\nupdates++;",
            name=f"scatter_{reduction}",
        )
        for reduction, relation in (("min", "<"), ("max", ">"))
    },
}


def lower_scatter_elements(op: ScatterElements, layer: Layer) -> tuple[Call, ...]:
    """The data first, whole."""
    x, indices, y = *layer.inputs[:2], layer.output
    copied = strided_loops(READ, layer, (y.elements,), (1,))
    copy = Call(copied, (), {"data": x.values}) if x.is_constant else Call(copied, (0,))
    order = sorted((1, 2), key=lambda index: layer.inputs[index].is_constant)
    names = {1: "indices", 2: "updates"}
    constants = ScatterElementsConstants(
        pointers({names[index]: layer.inputs[index].dtype for index in order}),
        C_TYPES[y.dtype],
        outer=prod(y.shape[: op.axis]),
        size=y.shape[op.axis],
        inner=prod(y.shape[op.axis + 1 :]),
        count=indices.shape[op.axis],
        store=_STORES[op.reduction],
    )
    arrays = {names[index]: layer.inputs[index].values for index in order if layer.inputs[index].is_constant}
    inputs = tuple(index for index in order if not layer.inputs[index].is_constant)
    return copy, Call(constants, inputs, arrays)
