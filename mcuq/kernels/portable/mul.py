"""Mul: one product, requantized, or of floats, limited."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.mul import Mul


def product_of(op: Mul, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One product; operands of int16 have zero point 0."""
    if layer.output.quant is None:
        return limited(op, f"{e.a} * {e.b}", e.y, "mul_float32"), 0
    product = Sum(op, layer, op.requantization(layer), op.bound(layer))
    if layer.output.dtype == "int16":
        return product.stored(f"{e.a} * {e.b}", e.y, name="mul_s16"), product.bound
    a, b = (layer.inputs[index] for index in e.order)
    stored = product.stored(f"({e.a} - a_zero_point) * ({e.b} - b_zero_point)", e.y, name="mul")
    return stored.naming(a_zero_point=a.zero_point, b_zero_point=b.zero_point), product.bound


MUL_KERNELS = binary_kernels(product_of)
