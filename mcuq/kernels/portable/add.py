"""Add and Sub: a weighted sum of the operands' integers, or one sum of floats, and limits."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.kernels.weighted_sum import weighted_sum_bound, weighted_sum_fields
from mcuq.ops.add import Add


def sum_of(op: Add, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One sum; those of int16 have 64 bits."""
    if layer.output.quant is None:
        value = f"{e.a} + {e.b}" if op.signs == (1, 1) else " - ".join(e.inputs)
        return limited(op, value, e.y, "add_float32"), 0
    if layer.output.dtype == "int16":
        output_min, output_max = op.output_bounds(layer.output)
        numbers = {**vars(op.parameters_s16(layer, e.order)), "output_min": output_min, "output_max": output_max}
        text = (
            f"{e.y} = (int16_t)mcuq_weighted_sum_s16({e.a}, factor_a, {e.b}, factor_b, shift, output_min, output_max);"
        )
        return Fragment.of(text, "mcuq_weighted_sum_s16", name="add_s16", numbers=numbers), 0
    numbers = weighted_sum_fields(op, layer, e.order)
    text = f"{e.y} = mcuq_weighted_sum({e.a}, factor_a, {e.b}, factor_b, constant, shift, output_min, output_max);"
    return Fragment.of(text, "mcuq_weighted_sum", name="add", numbers=numbers), weighted_sum_bound(numbers)


ADD_KERNELS = binary_kernels(sum_of)
