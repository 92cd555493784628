"""PRelu: one number below zero and one from zero on, requantized, or of floats, limited."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.prelu import PRelu


def slope_of(op: PRelu, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One side; operands of int16 have zero point 0."""
    x, slope = e.inputs
    if layer.output.quant is None:
        return limited(op, f"{x} < 0.0f ? {x} * {slope} : {x}", e.y, "prelu_float32"), 0
    below = Sum(op, layer, op.requantization_below(layer), op.bound_below(layer))
    above = Sum(op, layer, op.requantization_above(layer), op.bound_above(layer))
    if layer.output.dtype == "int8":
        x, slope = f"{x} - x_zero_point", f"({slope} - slope_zero_point)"
    statements = (
        Fragment.of(f"const int32_t difference = {x};", name=below.named("prelu") or "prelu")
        .followed_by(below.stored(f"difference * {slope}", e.y).repeated("if (difference < 0)"))
        .followed_by(above.stored("difference", e.y, prefix="own_").repeated("else"))
    )
    if layer.output.dtype == "int8":
        first, second = layer.inputs
        statements = statements.naming(x_zero_point=first.zero_point, slope_zero_point=second.zero_point)
    return statements, below.bound


PRELU_KERNELS = binary_kernels(slope_of)
