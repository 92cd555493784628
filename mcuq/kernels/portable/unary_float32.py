"""Functions of one float: a loop around an expression."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.expression_c import assignment
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.function import Function


@dataclass(frozen=True)
class FunctionFloat32Constants(Constants):
    """`statements` assign out[i], a function of x = in[i]."""

    template = "portable/function_float32"
    computes_in_float = True

    elements: int
    statements: Fragment


def lower_unary_float32(op: Function, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return (Call(FunctionFloat32Constants(layer.output.elements, assignment(op.expression, "out[i]", " " * 8))),)
