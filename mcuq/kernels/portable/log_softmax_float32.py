"""LogSoftmax of floats."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.log_softmax import LogSoftmax


@dataclass(frozen=True)
class LogSoftmaxFloat32Constants(Constants):
    """Rows of `classes` values."""

    template = "portable/log_softmax_float32"
    computes_in_float = True

    rows: int
    classes: int


def lower_log_softmax_float32(op: LogSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    classes = layer.output.shape[-1]
    return (Call(LogSoftmaxFloat32Constants(layer.output.elements // classes, classes)),)
