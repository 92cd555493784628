"""Convert: the same real values in another element type; where a graph changes from one type to another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mcuq.arithmetic.float32 import dequantize_float, float32, quantize_float
from mcuq.arithmetic.int8 import Requantization, requantization, requantize_s16
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, ChannelQuant, Integers, Shape, Tensor
from mcuq.ops.dtypes import INTEGERS
from mcuq.ops.elementwise import Elementwise


def simulate_convert(layer: Layer, x: Array, bounds: tuple[int, int]) -> Array:
    """What `lower_convert` computes."""
    acc = x.astype("int32")[..., None] - layer.inputs[0].zero_point
    q = requantize_s16(acc, convert_requantization(layer), layer.output.zero_point, *bounds)
    return q[..., 0].astype(layer.output.dtype)


@dataclass(frozen=True)
class Convert(Elementwise):
    """y = x, in the element type `dtype`.

    Between integers: zero point + the requantized difference to x's zero point, rounded once. From float:
    `quantize_float`; to float: `dequantize_float`. Integers of the file stay what they are. Largest error: half a step
    of an integer y, and float32's rounding.
    """

    dtype: str = "int8"

    is_conversion = True
    is_monotone = True
    dtypes = frozenset({*INTEGERS, "float32"})
    mixes_dtypes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        found = inputs[0].integers
        return found and replace(found, dtype=self.dtype)

    @property
    def stated_dtype(self) -> str | None:
        return self.dtype

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Identity", [layer.inputs[0].name], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, y = layer.inputs[0], layer.output
        if y.integers is not None:
            return inputs[0].astype(y.dtype)
        if x.quant is None:
            return quantize_float(inputs[0], float32(1 / y.scale), y.zero_point, *y.quantization.bounds).astype(y.dtype)
        if y.quant is None:
            return dequantize_float(inputs[0], float32(x.scale), x.zero_point)
        return simulate_convert(layer, inputs[0], y.quantization.bounds)


def convert_bound(x: Tensor) -> int:
    """The largest magnitude of x less its zero point."""
    return max(abs(bound - x.zero_point) for bound in x.quantization.bounds)


def convert_requantization(layer: Layer) -> Requantization:
    x, y = layer.inputs[0], layer.output
    # Channels of an output's parts have their scales in any type.
    factor = 1.0 if isinstance(x.quant, ChannelQuant) else x.scale / y.scale
    return requantization([factor], convert_bound(x), layer.where)
