"""Reductions along dimensions."""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.importer.tflite.operator import Converter, Op
from mcuq.importer.tflite.writer import is_quantized


def reduction(kind: str) -> Converter:
    """MEAN and the like, along the dimensions of the second input."""

    def convert(op: Op) -> str:
        axes = _axes(op)
        return _reduced(op, kind, axes) if axes else op.x()

    return convert


def sum_(op: Op) -> str:
    """The mean, on the output's grid divided by the number of values, times that number."""
    axes, y = _axes(op), op.output()
    if not axes or not is_quantized(y) or y.quantization is None:
        return _reduced(op, "ReduceSum", axes) if axes else op.x()
    count = prod(op.shape(0)[axis] for axis in axes)
    mean = op.requantized(_reduced(op, "ReduceMean", axes), y, 1 / count)
    return op.write("Mul", [mean, op.value(count, np.float32)])


def _axes(op: Op) -> list[int]:
    return sorted({op.axis(a, len(op.shape(0))) for a in op.ints(1, "axes")})


def _reduced(op: Op, kind: str, axes: list[int]) -> str:
    keep = int(bool(op.option("ReducerOptions", "KeepDims")))
    return op.write(kind, [op.x(), op.value(axes)], keepdims=keep)


def arg_extreme(kind: str, options: str) -> Converter:
    """ARG_MAX and ARG_MIN, whose dimension goes."""

    def convert(op: Op) -> str:
        axis = op.number(1, "axis")
        y = op.write(kind, [op.x()], axis=op.axis(axis, len(op.shape(0))), keepdims=0)
        return op.write("Cast", [y], to=op.type_of(op.output()))

    return convert
