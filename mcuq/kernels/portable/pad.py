"""Pad: the output is filled, then the input goes to its place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.kernels.portable.strided import WRITTEN, strided_loops
from mcuq.ops.pad import Pad


@dataclass(frozen=True)
class FillConstants(Constants):
    """How many elements of which value."""

    template = "portable/fill"

    element_type: str
    elements: int
    value: int


def lower_pad(op: Pad, layer: Layer) -> tuple[Call, ...]:
    """Where the input goes in the output; the rest is filled before."""
    return filled(layer, op.value), _inner(op, layer)


def filled(layer: Layer, value: float) -> Call:
    """Writes a real value to all of the output."""
    y = layer.output
    if y.quant is None:
        fill = Fragment.of("y[i] = value;", name="fill_float32", floats={"value": float32(value)})
        return Call(elementwise(layer, {}, fill), inputs=())
    return Call(FillConstants(C_TYPES[y.dtype], y.elements, int(y.quant.quantize(np.array([value]))[0])), inputs=())


def _inner(op: Pad, layer: Layer) -> Call:
    x, y = layer.inputs[0], layer.output
    strides = [prod(y.shape[axis + 1 :]) for axis in range(len(y.shape))]
    start = sum(b * s for b, s in zip(op.before, strides, strict=True))
    return Call(strided_loops(WRITTEN, layer, x.shape, strides, start))
