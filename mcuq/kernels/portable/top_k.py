"""TopK: the best that is left, k times."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.top_k import TopK


@dataclass(frozen=True)
class TopKConstants(Constants):
    """x (outer, size, inner) -> y (outer, count, inner); `skip` goes on where row[i * inner] is no better than the
    best."""

    template = "portable/top_k"

    x_type: str
    y_type: str
    outer: int
    size: int
    inner: int
    count: int
    skip: Fragment


def lower_top_k(op: TopK, layer: Layer) -> tuple[Call, ...]:
    """What is chosen already is looked for only among what would be better."""
    x, y = layer.inputs[0], layer.output
    relation = ">" if op.largest else "<"
    skip = Fragment(
        f"if (best >= 0 && !(row[i * inner] {relation} row[best * inner]))\n    continue;",
        name="top_k" if op.largest else "bottom_k",
    )
    constants = TopKConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        outer=prod(x.shape[: op.axis]),
        size=x.shape[op.axis],
        inner=prod(x.shape[op.axis + 1 :]),
        count=op.k,
        skip=skip,
    )
    return (Call(constants),)
