"""LogSoftmax of int8, by two tables."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.softmax import exponential_bits, exponential_table


@dataclass(frozen=True)
class LogSoftmaxConstants(Constants):
    """Rows of `classes` values; `factor`, `ln2` and `constant` have `shift` fraction bits of an output step."""

    template = "portable/log_softmax"

    rows: int
    classes: int
    exponential_bits: int
    factor: int
    ln2: int
    constant: int
    shift: int


def lower_log_softmax(op: LogSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Two tables: exponentials of the distances, logarithms of 1 to 2."""
    classes = layer.output.shape[-1]
    factor, ln2, constant, shift, logarithms = op.parameters(layer)
    constants = LogSoftmaxConstants(
        layer.output.elements // classes, classes, exponential_bits(classes), factor, ln2, constant, shift
    )
    table = exponential_table(layer.inputs[0].scale, classes)
    return (Call(constants, arrays={"table": table, "logarithms": logarithms}),)
