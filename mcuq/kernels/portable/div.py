"""Div: one quotient of integers, or of floats, limited."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.div import Div


def quotient_of(op: Div, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One division; operands of int16 have zero point 0."""
    y = layer.output
    if y.quant is None:
        value = f"mcuq_float_quotient({', '.join(e.inputs)})"
        return limited(op, value, e.y, "div_float32", ("mcuq_float_quotient",)), 0
    output_min, output_max = op.output_bounds(y)
    numbers = {**vars(op.parameters(layer)), "output_min": output_min, "output_max": output_max}
    if y.dtype == "int16":
        value = f"mcuq_quotient_s16({', '.join(e.inputs)}, multiplier, shift, 0, output_min, output_max)"
        return Fragment.of(f"{e.y} = (int16_t){value};", "mcuq_quotient_s16", name="div_s16", numbers=numbers), 0
    points = {f"{side}_zero_point": layer.inputs[index].zero_point for side, index in zip("ab", e.order, strict=True)}
    operands = (f"{e.a} - a_zero_point", f"{e.b} - b_zero_point")
    a, b = operands if e.order == (0, 1) else reversed(operands)
    text = f"""\
const int32_t dividend = {a}, divisor = {b};
{e.y} = mcuq_quotient(dividend, divisor, multiplier, shift, y_zero_point, output_min, output_max);"""
    numbers = {**points, **numbers, "y_zero_point": y.zero_point}
    return Fragment.of(text, "mcuq_quotient", name="div", numbers=numbers), 255 * numbers["multiplier"] + 2**29


DIV_KERNELS = binary_kernels(quotient_of)
