"""IntegerArithmetic: one operation of 64 bits, limited to what the output is known to hold."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.dtypes import WHOLE
from mcuq.ops.from_integers import reach
from mcuq.ops.integer_arithmetic import IntegerArithmetic

# Kind -> C of the value of {a} and {b}, and the items that it names.
_VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Add": ("(int64_t){a} + {b}", ()),
    "Sub": ("(int64_t){a} - {b}", ()),
    "Mul": ("(int64_t){a} * {b}", ()),
    "WrappedAdd": ("mcuq_wrapped_add({a}, {b})", ("mcuq_wrapped_add",)),
    "WrappedSub": ("mcuq_wrapped_sub({a}, {b})", ("mcuq_wrapped_sub",)),
    "WrappedMul": ("mcuq_wrapped_mul({a}, {b})", ("mcuq_wrapped_mul",)),
    "Div": ("mcuq_integer_quotient({a}, {b})", ("mcuq_integer_quotient",)),
    "Mod": ("mcuq_integer_modulo({a}, {b})", ("mcuq_integer_modulo",)),
    "Remainder": ("mcuq_integer_remainder({a}, {b})", ("mcuq_integer_remainder",)),
    "Min": ("{a} < {b} ? {a} : {b}", ()),
    "Max": ("{a} > {b} ? {a} : {b}", ()),
    "And": ("{a} & {b}", ()),
    "Or": ("{a} | {b}", ()),
    "Xor": ("{a} ^ {b}", ()),
}


def value_of(op: IntegerArithmetic, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    """One value."""
    text, needs = _VALUES[op.kind]
    a, b = e.inputs
    low, high = reach(layer.output)
    value = text.format(a=a, b=b)
    text = f"""\
const int64_t value = {value};
{e.y} = ({C_TYPES[layer.output.dtype]})mcuq_within_long(value, low, high);"""
    numbers = {"low": low, "high": high}
    return Fragment.of(text, *needs, "mcuq_within_long", name=f"integer_{op.kind.lower()}", numbers=numbers), 0


INTEGER_ARITHMETIC_KERNELS = binary_kernels(value_of, WHOLE)
