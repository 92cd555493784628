"""SparseProduct of integers and of floats: for each output a row of places and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment
from mcuq.ops.sparse_product import SparseProduct

MOST_UNROLLED = 4  # taps whose places and weights have registers


@dataclass(frozen=True)
class SparseProductConstants(Constants):
    """x (outer, size, inner) -> y (outer, rows, inner); `row` stands before the elements of row `oy`, `sum` gives `acc`
    of element `oc`, `end` assigns *y++."""

    template = "portable/sparse_product"

    x_type: str
    y_type: str
    pointers: str
    outer: int
    size: int
    inner: int
    rows: int
    taps: int
    row: Fragment
    sum: Fragment
    end: Fragment


def lower_sparse_product(op: SparseProduct, layer: Layer) -> tuple[Call, ...]:
    """Weights of 16 bits where that is all that they have."""
    integers = op.integer_weights(layer)
    total = Sum(op, layer, op.requantization(layer), op.bound(layer))
    weight = "int16" if np.abs(integers.weight).max() <= np.iinfo(np.int16).max else "int32"
    arrays = {"index": _index(layer), "weight": integers.weight.astype(weight)}
    # Zero points of 16 bits are 0.
    has_start = layer.inputs[0].zero_point != 0
    if has_start:
        arrays["start"] = integers.start.astype(np.int32)
    cast = "(int64_t)" if total.c_type == "int64_t" else ""
    begin = Fragment(f"{total.c_type} acc = {'start[oy]' if has_start else '0'};", name=total.named("sparse_product"))
    taps = _Taps(begin, f"acc += {cast}{{weight}} * {{x}};", C_TYPES[weight])
    end = total.stored("acc", "*y++", name="sparse_product")
    constants = _constants(op, layer, {"weight": weight, **({"start": "int32"} if has_start else {})}, taps, end)
    return (Call(constants, arrays=arrays, bound=total.bound if total.bound <= INT32_MAX else 0),)


def lower_sparse_product_float32(op: SparseProduct, layer: Layer) -> tuple[Call, ...]:
    """Weights as they are."""
    begin = Fragment("float acc = 0.0f;", name="sparse_product_float32")
    taps = _Taps(begin, "const float term{k} = {weight} * {x};\nacc = acc + term{k};", "float")
    constants = _constants(op, layer, {"weight": "float32"}, taps, limited(op, "acc", "*y++"))
    return (Call(constants, arrays={"index": _index(layer), "weight": layer.inputs[2].values}),)


@dataclass(frozen=True)
class _Taps:
    """How a sum begins, and what one tap adds: C with {weight}, {x} and a number {k} for names."""

    begin: Fragment
    added: str
    weight_type: str

    def row(self, taps: int, x_type: str) -> Fragment:
        """What is read once a row: of few taps all places and weights, so that they stay in registers."""
        if taps > MOST_UNROLLED:
            return NOTHING
        lines = [
            f"const {x_type} *const from_{k} = x + index[first + {k}] * inner;\n"
            f"const {self.weight_type} weight_{k} = weight[first + {k}];"
            for k in range(taps)
        ]
        return Fragment("\n".join(lines))

    def sum(self, taps: int) -> Fragment:
        """The sum `acc`."""
        if taps > MOST_UNROLLED:
            each = self.added.format(k="", weight="weight[first + k]", x="x[index[first + k] * inner + oc]")
            body = each.replace("\n", "\n    ")
            return self.begin.followed_by(Fragment(f"for (int32_t k = 0; k < taps; k++) {{\n    {body}\n}}"))
        lines = [self.added.format(k=f"_{k}", weight=f"weight_{k}", x=f"from_{k}[oc]") for k in range(taps)]
        return self.begin.followed_by(Fragment("\n".join(lines)))


def _index(layer: Layer) -> Array:
    return layer.inputs[1].values.astype(np.int32)


def _constants(
    op: SparseProduct, layer: Layer, arrays: Mapping[str, str], taps: _Taps, end: Fragment
) -> SparseProductConstants:
    x, y = layer.inputs[0], layer.output
    rows, count = layer.inputs[1].shape
    outer, inner = prod(x.shape[: op.axis]), prod(x.shape[op.axis + 1 :])
    return SparseProductConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        pointers({"index": "int32", **arrays}),
        outer,
        x.shape[op.axis],
        inner,
        rows,
        count,
        taps.row(count, C_TYPES[x.dtype]),
        taps.sum(count),
        end,
    )
