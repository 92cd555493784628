"""Functions of one value: tables, limits and straight pieces of integers, expressions of floats."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.expression_c import assignment
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.convert import requantize
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.ops.function import Function
from mcuq.ops.unary import Unary, reads_s16

_LOOKUP = Fragment.of("y[i] = mcuq_lookup(x[i], table);", "mcuq_lookup", name="lookup")


def lower_unary(op: Unary, layer: Layer) -> tuple[Call, ...]:
    """Of int8 a table that is the whole operator; where 16 bits are read, limits, or two tables: where the pieces lie,
    and the values between them."""
    if not reads_s16(layer):
        return (Call(elementwise(layer, {"x": "int8", "table": "int8"}, _LOOKUP), arrays={"table": op.table(layer)}),)
    if op.limits is not None:
        return requantize(layer, op.limit_bounds(layer))
    pieces, values = op.pieces(layer)
    text = f"y[i] = ({C_TYPES[layer.output.dtype]})mcuq_interpolate(x[i], pieces, values);"
    statements = Fragment.of(text, "mcuq_interpolate", name="interpolate")
    constants = elementwise(layer, {"x": "int16", "pieces": "int32", "values": "int32"}, statements)
    return (Call(constants, arrays={"pieces": pieces, "values": values}),)


def lower_function(op: Function, layer: Layer) -> tuple[Call, ...]:
    """The expression of one float, or as any other function of integers."""
    if layer.output.quant is not None:
        return lower_unary(op, layer)
    computed = assignment(op.expression, "y[i]")
    statements = Fragment.of(f"const float x = in[i];\n{computed.text}", *computed.needs, name="function_float32")
    return (Call(elementwise(layer, {"in": "float32"}, statements)),)
