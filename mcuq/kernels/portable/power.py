"""Power: logarithms and powers of two from tables, or of floats, limited."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.power import Power


def power_of(op: Power, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One call; operands of int16 have zero point 0."""
    y = layer.output
    if y.quant is None:
        return limited(op, f"mcuq_power({', '.join(e.inputs)})", e.y, "power_float32", ("mcuq_power",)), 0
    base, exponent = e.inputs
    numbers = vars(op.parameters(layer)) | {"y_zero_point": y.zero_point}
    output_min, output_max = op.output_bounds(y)
    numbers |= {"output_min": output_min, "output_max": output_max}
    if y.dtype == "int8":
        base, exponent = f"{base} - base_zero_point", f"{exponent} - exponent_zero_point"
        first, second = layer.inputs
        numbers |= {"base_zero_point": first.zero_point, "exponent_zero_point": second.zero_point}
    cast = "int8_t" if y.dtype == "int8" else "int16_t"
    text = f"""\
{e.y} = ({cast})mcuq_integer_power({base}, {exponent}, before, logarithm, factor, fraction_bits,
    offset, whole, y_zero_point, output_min, output_max);"""
    name = "power" if y.dtype == "int8" else "power_s16"
    return Fragment.of(text, "mcuq_integer_power", name=name, numbers=numbers), 0


POWER_KERNELS = binary_kernels(power_of)
