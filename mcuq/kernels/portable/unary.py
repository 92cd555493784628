"""Functions of one integer: tables, limits and straight pieces."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.portable.convert import lower_convert
from mcuq.ops.unary import Unary


@dataclass(frozen=True)
class LookupConstants(Constants):
    """y[i] = table[x[i]]."""

    template = "portable/lookup"

    elements: int


@dataclass(frozen=True)
class InterpolateConstants(Constants):
    """y[i] = the pieces' value at x[i]."""

    template = "portable/interpolate"

    elements: int
    y_type: str


def lower_unary(op: Unary, layer: Layer) -> tuple[Call, ...]:
    """The table is the whole operator."""
    return (Call(LookupConstants(layer.output.elements), arrays={"table": op.table(layer)}),)


def lower_limits(op: Unary, layer: Layer) -> tuple[Call, ...]:
    """Another scale, and the limits."""
    return lower_convert(layer, op.limit_bounds(layer))


def lower_unary_s16(op: Unary, layer: Layer) -> tuple[Call, ...]:
    """Two tables: where the pieces lie, and the values between them."""
    pieces, values = op.pieces(layer)
    constants = InterpolateConstants(layer.output.elements, C_TYPES[layer.output.dtype])
    return (Call(constants, arrays={"pieces": pieces, "values": values}),)
