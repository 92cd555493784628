"""LogSoftmax of int16, by three tables."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.log_softmax_s16 import parameters
from mcuq.ops.softmax_s16 import exponential_tables


@dataclass(frozen=True)
class LogSoftmaxS16Constants(Constants):
    """Rows of `classes` values; `factor` has `shift` fraction bits of an output step, `ln2` and the logarithms `spare`
    less."""

    template = "portable/log_softmax_s16"

    rows: int
    classes: int
    factor: int
    ln2: int
    shift: int
    spare: int


def lower_log_softmax_s16(op: LogSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Three tables: exponentials of the distances' upper and lower bytes, logarithms of 1 to 2."""
    classes = layer.output.shape[-1]
    p = parameters(layer)
    coarse, fine = exponential_tables(layer.inputs[0].scale)
    constants = LogSoftmaxS16Constants(
        layer.output.elements // classes, classes, factor=p.factor, ln2=p.ln2, shift=p.shift, spare=p.spare
    )
    return (Call(constants, arrays={"coarse": coarse, "fine": fine, "logarithms": p.logarithms}),)
