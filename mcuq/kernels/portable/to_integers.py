"""ToIntegers: the whole part, by one multiplication of codes, or of floats."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.ops.from_integers import reach
from mcuq.ops.to_integers import ToIntegers


def lower_to_integers(op: ToIntegers, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    x, y = layer.inputs[0], layer.output
    low, high = reach(y)
    limits = {"low": low, "high": high}
    if x.quant is None:
        text = f"y[i] = ({C_TYPES[y.dtype]})mcuq_truncate_float(x[i], low, high);"
        statements = Fragment.of(text, "mcuq_truncate_float", name="to_integers_float32", numbers=limits)
        return (Call(elementwise(layer, {"x": x.dtype}, statements)),)
    multiplier, shift = op.factor(layer)
    text = f"y[i] = ({C_TYPES[y.dtype]})mcuq_truncate(x[i] - x_zero_point, multiplier, shift, low, high);"
    numbers = {"x_zero_point": x.zero_point, "multiplier": multiplier, "shift": shift, **limits}
    statements = Fragment.of(text, "mcuq_truncate", name="to_integers", numbers=numbers)
    return (Call(elementwise(layer, {"x": x.dtype}, statements)),)
