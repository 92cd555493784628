"""Concat and Join: a call an input."""

from __future__ import annotations

from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.strided import WRITTEN, strided_loops
from mcuq.ops.concat import Concat


def lower_concat(op: Concat, layer: Layer) -> tuple[Call, ...]:
    """One call an input: its blocks go to their places in the output."""
    calls = []
    total = prod(layer.output.shape[op.axis :])
    start = 0
    for index, x in enumerate(layer.inputs):
        block = prod(x.shape[op.axis :])
        outer = prod(x.shape[: op.axis])
        constants = strided_loops(WRITTEN, layer, (outer, block), (total, 1), start)
        if x.is_constant:
            calls.append(Call(constants, inputs=(), arrays={f"part_{index}": x.values}))
        else:
            calls.append(Call(constants, inputs=(index,)))
        start += block
    return tuple(calls)
