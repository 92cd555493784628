"""Compare: one comparison of integers or of floats."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.compare import Compare
from mcuq.ops.dtypes import ANY

_NAMES = {"<": "less", "<=": "less_or_equal", ">": "greater", ">=": "greater_or_equal", "==": "equal"}


def comparison_of(op: Compare, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """Products of int16 have 64 bits; integers that stand for themselves need none."""
    y_type, name = C_TYPES[layer.output.dtype], _NAMES[op.relation]
    first = layer.inputs[0]
    if first.quant is None or first.integers is not None:
        a, b = e.inputs
        kind = "float32" if first.quant is None else "integers"
        return Fragment(f"{e.y} = ({y_type})({a} {op.relation} {b});", name=f"{name}_{kind}"), 0
    is_wide = any(t.dtype == "int16" for t in layer.inputs)
    c_type = "int64_t" if is_wide else "int32_t"
    text = f"""\
const {c_type} first = ({c_type})({e.inputs[0]} - first_zero_point) * first_factor;
const {c_type} second = ({c_type})({e.inputs[1]} - second_zero_point) * second_factor;
{e.y} = ({y_type})(first {op.relation} second);"""
    factors = op.factors(layer)
    numbers: dict[str, int] = {}
    for side, tensor, factor in zip(("first", "second"), layer.inputs, factors, strict=True):
        numbers |= {f"{side}_zero_point": tensor.zero_point, f"{side}_factor": factor}
    # Constants are at most 2^21 half steps, differences of codes 255.
    bound = 0 if is_wide else max(2**21 + 1, *(255 * factor for factor in factors))
    return Fragment.of(text, name=f"{name}_s16" if is_wide else name, numbers=numbers), bound


COMPARE_KERNELS = binary_kernels(comparison_of, ANY)
