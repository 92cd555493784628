"""Max and Min: the larger or the smaller of the operands' scaled integers, or of floats, and limits."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.extreme import Max


def extreme_of(op: Max, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One comparison; products of int16 have 64 bits."""
    name = "max" if op.is_max else "min"
    if layer.output.quant is None:
        function = f"mcuq_{name}imum"
        return limited(op, f"{function}({', '.join(e.inputs)})", e.y, f"{name}_float32", (function,)), 0
    output_min, output_max = op.output_bounds(layer.output)
    bounds = {"output_min": output_min, "output_max": output_max}
    if layer.output.dtype == "int16":
        function = f"mcuq_weighted_{name}_s16"
        numbers = {**vars(op.parameters_s16(layer, e.order)), **bounds}
        text = f"{e.y} = (int16_t){function}({e.a}, factor_a, {e.b}, factor_b, shift, output_min, output_max);"
        return Fragment.of(text, function, name=f"{name}_s16", numbers=numbers), 0
    function = f"mcuq_weighted_{name}"
    numbers = {**vars(op.parameters(layer, e.order)), **bounds}
    text = f"""\
{e.y} = {function}({e.a}, factor_a, constant_a, {e.b}, factor_b, constant_b, shift, output_min,
    output_max);"""
    bound = max(128 * numbers[f"factor_{side}"] + abs(numbers[f"constant_{side}"]) for side in "ab")
    return Fragment.of(text, function, name=name, numbers=numbers), bound


EXTREME_KERNELS = binary_kernels(extreme_of)
