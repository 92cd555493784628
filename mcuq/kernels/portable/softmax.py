"""Softmax of int8, by one table."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.softmax import Softmax, exponential_table


@dataclass(frozen=True)
class SoftmaxConstants(Constants):
    """Rows of `classes` values."""

    template = "portable/softmax"

    rows: int
    classes: int


def lower_softmax(op: Softmax, layer: Layer) -> tuple[Call, ...]:
    """The exponentials of all 256 distances from the largest value as a table."""
    classes = layer.output.shape[-1]
    constants = SoftmaxConstants(layer.output.elements // classes, classes)
    return (Call(constants, arrays={"table": exponential_table(layer.inputs[0].scale, classes)}),)
