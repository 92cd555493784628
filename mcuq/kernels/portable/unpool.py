"""Unpool: the output is filled with zeros, then each value goes to its place."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.portable.pad import filled
from mcuq.ops.unpool import Unpool


@dataclass(frozen=True)
class UnpoolConstants(Constants):
    """`count` values to places among `elements`."""

    template = "portable/unpool"

    index_type: str
    element_type: str
    elements: int
    count: int


def lower_unpool(op: Unpool, layer: Layer) -> tuple[Call, ...]:
    """Of any type that is moved."""
    x, indices = layer.inputs
    constants = UnpoolConstants(C_TYPES[indices.dtype], C_TYPES[x.dtype], layer.output.elements, x.elements)
    return filled(layer, 0.0), Call(constants, inputs=(1, 0))
