"""FromIntegers: limited, and requantized or as floats."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.ops.from_integers import FromIntegers, reach


def lower_from_integers(op: FromIntegers, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    x, y = layer.inputs[0], layer.output
    low, high = reach(x)
    if y.quant is None:
        text = "y[i] = (float)mcuq_within(x[i], low, high);"
        statements = Fragment.of(text, "mcuq_within", name="from_integers_float32", numbers={"low": low, "high": high})
        return (Call(elementwise(layer, {"x": x.dtype}, statements)),)
    requant = op.requantization(layer)
    output_min, output_max = y.quant.bounds
    text = f"""\
const int32_t limited = mcuq_within(x[i], low, high);
y[i] = ({C_TYPES[y.dtype]})mcuq_requantize_s16(limited, multiplier, prescale, shift, y_zero_point, output_min,
    output_max);"""
    numbers = {
        "low": low,
        "high": high,
        "multiplier": requant.multiplier[0],
        "prescale": requant.prescale,
        "shift": requant.shift,
        "y_zero_point": y.zero_point,
        "output_min": output_min,
        "output_max": output_max,
    }
    statements = Fragment.of(text, "mcuq_within", "mcuq_requantize_s16", name="from_integers", numbers=numbers)
    return (Call(elementwise(layer, {"x": x.dtype}, statements), bound=max(abs(low), abs(high))),)
