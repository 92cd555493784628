"""Unfold: a copy with strides, of which the taps have their own."""

from __future__ import annotations

from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.strided import READ, strided_loops
from mcuq.ops.unfold import Unfold


def lower_unfold(op: Unfold, layer: Layer) -> tuple[Call, ...]:
    """Walk the output in order and the input by its strides."""
    shape = layer.inputs[0].shape
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    distance = strides[op.axis]
    strides[op.axis] = distance * op.stride
    strides.insert(op.at, distance * op.dilation)
    return (Call(strided_loops(READ, layer, layer.output.shape, strides)),)
