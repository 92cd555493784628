"""Softmax of int16, by two tables."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.softmax import Softmax
from mcuq.ops.softmax_s16 import exponential_tables


@dataclass(frozen=True)
class SoftmaxS16Constants(Constants):
    """Rows of `classes` values."""

    template = "portable/softmax_s16"

    rows: int
    classes: int


def lower_softmax_s16(op: Softmax, layer: Layer) -> tuple[Call, ...]:
    """Tables of the exponentials of upper and lower bytes."""
    classes = layer.output.shape[-1]
    coarse, fine = exponential_tables(layer.inputs[0].scale)
    constants = SoftmaxS16Constants(layer.output.elements // classes, classes)
    return (Call(constants, arrays={"coarse": coarse, "fine": fine}),)
