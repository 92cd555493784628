"""Another element type, scale or zero point: one loop each way."""

from __future__ import annotations

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.overwriting import by_elements
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.ops.convert import Convert, convert_bound, convert_requantization


def lower_convert(op: Convert, layer: Layer) -> tuple[Call, ...]:
    """From float, to float, or between integers."""
    x, y = layer.inputs[0], layer.output
    if y.integers is not None:
        return (
            Call(elementwise(layer, {"x": x.dtype}, Fragment("y[i] = x[i];", name="widen")), below=by_elements(x, y)),
        )
    if x.quant is None:
        return (Call(elementwise(layer, {"x": x.dtype}, _quantized(layer)), below=by_elements(x, y)),)
    if y.quant is None:
        return (Call(elementwise(layer, {"x": x.dtype}, _dequantized(layer)), below=by_elements(x, y)),)
    return requantize(layer, y.quantization.bounds)


def requantize(layer: Layer, bounds: tuple[int, int]) -> tuple[Call, ...]:
    """Integers of one type, scale and zero point to another's, by one rounding, within `bounds`."""
    (x,), y = layer.inputs, layer.output
    requant = convert_requantization(layer)
    numbers = {
        "x_zero_point": x.zero_point,
        "multiplier": requant.multiplier[0],
        "prescale": requant.prescale,
        "shift": requant.shift,
        "y_zero_point": y.zero_point,
        "output_min": bounds[0],
        "output_max": bounds[1],
    }
    value = (
        "mcuq_requantize_s16(x[i] - x_zero_point, multiplier, prescale, shift, y_zero_point, output_min, output_max)"
    )
    text = f"y[i] = ({C_TYPES[y.dtype]}){value};"
    statements = Fragment.of(text, "mcuq_requantize_s16", name="convert", numbers=numbers)
    return (
        Call(
            elementwise(layer, {"x": x.dtype}, statements),
            bound=convert_bound(x),
            below=by_elements(x, y),
        ),
    )


def _quantized(layer: Layer) -> Fragment:
    """`inverse_scale` is 1 / scale, rounded to float."""
    y = layer.output
    output_min, output_max = y.quantization.bounds
    return Fragment.of(
        f"y[i] = ({C_TYPES[y.dtype]})mcuq_quantize_float(x[i], inverse_scale, y_zero_point, output_min, output_max);",
        "mcuq_quantize_float",
        name="quantize",
        numbers={"y_zero_point": y.zero_point, "output_min": output_min, "output_max": output_max},
        floats={"inverse_scale": float32(1 / y.scale)},
    )


def _dequantized(layer: Layer) -> Fragment:
    x = layer.inputs[0]
    return Fragment.of(
        "y[i] = mcuq_dequantize_float(x[i], scale, x_zero_point);",
        "mcuq_dequantize_float",
        name="dequantize",
        numbers={"x_zero_point": x.zero_point},
        floats={"scale": float32(x.scale)},
    )
