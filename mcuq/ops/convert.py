"""Convert: the same real values in another element type; where a graph changes from one type to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.float32 import dequantize_float, float32, quantize_float
from mcuq.arithmetic.int8 import Requantization, requantization, requantize_wide
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Constants, Kernel, Layer, Operator
from mcuq.graph.tensor import Array, ChannelQuant, Shape, Tensor

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}
INTEGERS = frozenset({"int8", "uint8", "int16"})


@dataclass(frozen=True)
class ConvertConstants(Constants):
    """Integers of one type, scale and zero point to another's: one rounding."""

    template = "convert"

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

    template = "quantize"
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

    template = "dequantize"
    computes_in_float = True

    elements: int
    x_type: str
    scale: float
    x_zero_point: int


def lower_convert(layer: Layer, bounds: tuple[int, int]) -> tuple[Call, ...]:
    """One loop; `bounds` are output_min and output_max."""
    (x,), y = layer.inputs, layer.output
    requant = _requantization(layer)
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
    return (Call(constants, bound=_bound(x)),)


def simulate_convert(layer: Layer, x: Array, bounds: tuple[int, int]) -> Array:
    """What `lower_convert` computes."""
    acc = x.astype("int32")[..., None] - layer.inputs[0].zero_point
    q = requantize_wide(acc, _requantization(layer), layer.output.zero_point, *bounds)
    return q[..., 0].astype(layer.output.dtype)


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


@dataclass(frozen=True)
class Convert(Operator):
    """y = x, in the element type `dtype`.

    Between integers: zero point + the requantized difference to x's zero point, rounded once. From float:
    `quantize_float`; to float: `dequantize_float`. Largest error: half a step of an integer y, and float32's rounding.
    """

    dtype: str = "int8"

    is_elementwise = True
    dtypes = frozenset({*INTEGERS, "float32"})
    mixes_dtypes = True
    kernels: ClassVar[tuple[Kernel, ...]] = (
        Kernel(lambda op, layer: lower_convert(layer, layer.output.quantization.bounds), activations=INTEGERS),
        Kernel(
            lower_quantize,
            activations=frozenset({*INTEGERS, "float32"}),
            accepts=lambda op, layer: layer.inputs[0].quant is None and layer.output.quant is not None,
        ),
        Kernel(
            lower_dequantize,
            activations=frozenset({*INTEGERS, "float32"}),
            accepts=lambda op, layer: layer.inputs[0].quant is not None and layer.output.quant is None,
        ),
    )

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Identity", [layer.inputs[0].name], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if x.quant is None:
            return quantize_float(inputs[0], float32(1 / y.scale), y.zero_point, *y.quantization.bounds).astype(y.dtype)
        if y.quant is None:
            return dequantize_float(inputs[0], float32(x.scale), x.zero_point)
        return simulate_convert(layer, inputs[0], y.quantization.bounds)


def _bound(x: Tensor) -> int:
    """The largest magnitude of x less its zero point."""
    return max(abs(bound - x.zero_point) for bound in x.quantization.bounds)


def _requantization(layer: Layer) -> Requantization:
    x, y = layer.inputs[0], layer.output
    # Channels of an output's parts have their scales in any type.
    factor = 1.0 if isinstance(x.quant, ChannelQuant) else x.scale / y.scale
    return requantization([factor], _bound(x), layer.where)
