"""Mod: one remainder of integers, requantized, or of floats, limited."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.mod import Mod


def remainder_of(op: Mod, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One division; operands of int16 have zero point 0."""
    a, b = e.inputs
    if layer.output.quant is None:
        return limited(op, f"mcuq_remainder({a}, {b})", e.y, "mod_float32", ("mcuq_remainder",)), 0
    total = Sum(op, layer, op.requantization(layer), op.bound(layer))
    first, second = op.factors(layer)
    numbers = {"dividend_factor": first, "divisor_factor": second}
    if layer.output.dtype == "int8":
        x, z = layer.inputs
        a, b = f"({a} - dividend_zero_point)", f"({b} - divisor_zero_point)"
        numbers |= {"dividend_zero_point": x.zero_point, "divisor_zero_point": z.zero_point}
    text = f"""\
const int32_t dividend = {a} * dividend_factor, divisor = {b} * divisor_factor;
const int32_t rest = divisor == 0 ? 0 : dividend % divisor;"""
    statements = Fragment.of(text, name=total.named("mod") or "mod", numbers=numbers)
    return statements.followed_by(total.stored("rest", e.y)), 2**30


MOD_KERNELS = binary_kernels(remainder_of)
