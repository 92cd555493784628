"""Softmax of floats."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.softmax import Softmax


@dataclass(frozen=True)
class SoftmaxFloat32Constants(Constants):
    """Rows of `classes` values."""

    template = "portable/softmax_float32"
    computes_in_float = True

    rows: int
    classes: int


def lower_softmax_float32(op: Softmax, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    classes = layer.output.shape[-1]
    return (Call(SoftmaxFloat32Constants(layer.output.elements // classes, classes)),)
