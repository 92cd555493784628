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
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.sparse_product import SparseProduct


@dataclass(frozen=True)
class SparseProductConstants(Constants):
    """x (outer, size, inner) -> y (outer, rows, inner); `begin` stands before the first tap of row `oy`, `tap` takes
    x[i] * weight[w], `end` assigns *y++."""

    template = "portable/sparse_product"

    x_type: str
    y_type: str
    pointers: str
    outer: int
    size: int
    inner: int
    rows: int
    taps: int
    begin: Fragment
    tap: Fragment
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
    begin = Fragment(f"{total.c_type} acc = {'start[oy]' if has_start else '0'};", name=total.named("sparse_product"))
    tap = Fragment(f"acc += {'(int64_t)' if total.c_type == 'int64_t' else ''}weight[w] * x[i];")
    end = total.stored("acc", "*y++", name="sparse_product")
    constants = _constants(op, layer, {"weight": weight, **({"start": "int32"} if has_start else {})}, begin, tap, end)
    return (Call(constants, arrays=arrays, bound=total.bound if total.bound <= INT32_MAX else 0),)


def lower_sparse_product_float32(op: SparseProduct, layer: Layer) -> tuple[Call, ...]:
    """Weights as they are."""
    begin = Fragment("float acc = 0.0f;", name="sparse_product_float32")
    tap = Fragment("const float term = weight[w] * x[i];\nacc = acc + term;")
    constants = _constants(op, layer, {"weight": "float32"}, begin, tap, limited(op, "acc", "*y++"))
    return (Call(constants, arrays={"index": _index(layer), "weight": layer.inputs[2].values}),)


def _index(layer: Layer) -> Array:
    return layer.inputs[1].values.astype(np.int32)


def _constants(
    op: SparseProduct, layer: Layer, arrays: Mapping[str, str], begin: Fragment, tap: Fragment, end: Fragment
) -> SparseProductConstants:
    x, y = layer.inputs[0], layer.output
    rows, taps = layer.inputs[1].shape
    outer, inner = prod(x.shape[: op.axis]), prod(x.shape[op.axis + 1 :])
    return SparseProductConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        pointers({"index": "int32", **arrays}),
        outer,
        x.shape[op.axis],
        inner,
        rows,
        taps,
        begin,
        tap,
        end,
    )
