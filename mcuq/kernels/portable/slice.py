"""Slice: a copy with strides."""

from __future__ import annotations

from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.strided import READ, strided_loops
from mcuq.ops.slice import Slice


def lower_slice(op: Slice, layer: Layer) -> tuple[Call, ...]:
    """Walk the output in order and the input by its strides."""
    shape = layer.inputs[0].shape
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    start = sum(b * s for b, s in zip(op.begin, strides, strict=True))
    return (Call(strided_loops(READ, layer, op.sizes, [a * b for a, b in zip(strides, op.steps, strict=True)], start)),)
