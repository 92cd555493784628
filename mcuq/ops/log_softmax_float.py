"""LogSoftmax of floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import logarithm, one_nan
from mcuq.graph.operator import Call, Constants, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.softmax_float import exponentials_float

if TYPE_CHECKING:
    from mcuq.ops.log_softmax import LogSoftmax


@dataclass(frozen=True)
class LogSoftmaxFloatConstants(Constants):
    """Rows of `classes` values."""

    template = "log_softmax_float"
    computes_in_float = True

    rows: int
    classes: int


def lower_log_softmax_float(op: LogSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    classes = layer.output.shape[-1]
    return (Call(LogSoftmaxFloatConstants(layer.output.elements // classes, classes)),)


def simulate_log_softmax_float(x: Array) -> Array:
    """(x - largest) - ln(sum of exp(x - largest)), as `simulate_softmax_float` has the sum, NaN too."""
    distance, _, total = exponentials_float(x)
    with np.errstate(invalid="ignore", over="ignore"):
        return one_nan(distance - logarithm(total)[..., None])
