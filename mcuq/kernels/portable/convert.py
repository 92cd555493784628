"""Another element type, scale or zero point: one loop each way."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.convert import Convert, convert_bound, convert_requantization


@dataclass(frozen=True)
class ConvertConstants(Constants):
    """Integers of one type, scale and zero point to another's: one rounding."""

    template = "portable/convert"

    elements: int
    x_type: str
    y_type: str
    x_zero_point: int
    multiplier: int
    prescale: int
    shift: int
    y_zero_point: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class QuantizeConstants(Constants):
    """float to integers; `inverse_scale` is 1 / scale, rounded to float."""

    template = "portable/quantize"
    computes_in_float = True

    elements: int
    y_type: str
    inverse_scale: float
    y_zero_point: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class DequantizeConstants(Constants):
    """Integers to float."""

    template = "portable/dequantize"
    computes_in_float = True

    elements: int
    x_type: str
    scale: float
    x_zero_point: int


def lower_convert(layer: Layer, bounds: tuple[int, int]) -> tuple[Call, ...]:
    """One loop; `bounds` are output_min and output_max."""
    (x,), y = layer.inputs, layer.output
    requant = convert_requantization(layer)
    output_min, output_max = bounds
    constants = ConvertConstants(
        elements=y.elements,
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[y.dtype],
        x_zero_point=x.zero_point,
        multiplier=requant.multiplier[0],
        prescale=requant.prescale,
        shift=requant.shift,
        y_zero_point=y.zero_point,
        output_min=output_min,
        output_max=output_max,
    )
    return (Call(constants, bound=convert_bound(x)),)


def lower_quantize(op: Convert, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    y = layer.output
    output_min, output_max = y.quantization.bounds
    constants = QuantizeConstants(
        y.elements, C_TYPES[y.dtype], float32(1 / y.scale), y.zero_point, output_min, output_max
    )
    return (Call(constants),)


def lower_dequantize(op: Convert, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    x = layer.inputs[0]
    return (Call(DequantizeConstants(x.elements, C_TYPES[x.dtype], float32(x.scale), x.zero_point)),)
