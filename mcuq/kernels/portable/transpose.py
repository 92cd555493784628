"""Transpose: a copy with strides."""

from __future__ import annotations

from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.strided import READ, strided_loops
from mcuq.ops.transpose import Transpose


def lower_transpose(op: Transpose, layer: Layer) -> tuple[Call, ...]:
    """Walk the output in order and the input by its strides."""
    x = layer.inputs[0]
    strides = [prod(x.shape[axis + 1 :]) for axis in op.perm]
    return (Call(strided_loops(READ, layer, layer.output.shape, strides)),)
