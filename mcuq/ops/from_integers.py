"""FromIntegers: what the file has as integers, as real values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX, Requantization, requantization, requantize_s16
from mcuq.arithmetic.integers import within
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Quant, Shape, Tensor
from mcuq.ops.dtypes import MIXED
from mcuq.ops.elementwise import Elementwise


@dataclass(frozen=True)
class FromIntegers(Elementwise):
    """y = x. Exact where the integers are at most 256, or in int16 reach at most 32767 about 0; else half a step.

    Integers beyond those that x is known to hold are limited to them.
    """

    is_monotone = True
    dtypes = frozenset({*MIXED, "float32"})

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        """Steps of 1, where they hold all of the integers and 0."""
        low, high = reach(layer.inputs[0])
        low, high = min(low, 0), max(high, 0)
        if dtype == "int16":
            return Quant((1.0,), 0, dtype) if max(-low, high) < 2**15 else None
        if high - low > 255:
            return None
        return Quant((1.0,), 0 if low >= -128 and high <= 127 else -128 - low)

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: 1 / the output's scale."""
        # -2^31 is the one int32 beyond: all 64-bit products hold it too.
        bound = min(max(map(abs, reach(layer.inputs[0]))), INT32_MAX)
        return requantization([1 / layer.output.scale], bound, layer.where)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Identity", [layer.inputs[0].name], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        x = within(inputs[0], *reach(layer.inputs[0]))
        if y.quant is None:
            return x.astype(np.float32)
        q = requantize_s16(x[..., None], self.requantization(layer), y.zero_point, *y.quant.bounds)
        return q[..., 0].astype(y.dtype)


def reach(x: Tensor) -> tuple[int, int]:
    """The least and the greatest that a tensor of integers is known to hold."""
    assert isinstance(x.quant, Integers)
    return x.quant.low, x.quant.high
