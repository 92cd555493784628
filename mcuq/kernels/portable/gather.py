"""Gather: rows copied from where indices say."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.gather import Gather


@dataclass(frozen=True)
class GatherConstants(Constants):
    """x (outer, size, inner) -> y (outer, count, inner), by `count` indices."""

    template = "portable/gather"

    index_type: str
    element_type: str
    outer: int
    size: int
    inner: int
    count: int


def lower_gather(op: Gather, layer: Layer) -> tuple[Call, ...]:
    """Indices come first, as constants do behind computed inputs."""
    x, indices = layer.inputs
    constants = GatherConstants(
        C_TYPES[indices.dtype],
        C_TYPES[x.dtype],
        outer=prod(x.shape[: op.axis]),
        size=x.shape[op.axis],
        inner=prod(x.shape[op.axis + 1 :]),
        count=indices.elements,
    )
    if x.is_constant:
        return (Call(constants, inputs=(1,), arrays={"table": x.values}),)
    return (Call(constants, inputs=(1, 0)),)
