"""PRelu: slopes for negative values, of channels or of any elements, constant or computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.requantized import largest_difference, requantize_output


def from_prelu(node: OnnxNode, graph: GraphBuilder) -> str:
    """One constant slope is LeakyRelu's."""
    x = node.computed(0)
    if node.has(1) and not node.is_constant(1):
        return from_binary(lambda: PRelu())(node, graph)
    slope = weights(node, 1, "slope")
    shape = node.shape(0)
    padded = (1,) * (len(shape) - slope.ndim) + slope.shape
    if len(padded) != len(shape) or any(m not in (1, n) for m, n in zip(padded, shape, strict=True)):
        raise node.error(
            f"slope '{node.inputs[1]}' has shape {list(slope.shape)}, which does not broadcast to the input's "
            f"{list(shape)}; use one number, or one a channel of shape [C, 1, 1]"
        )
    if slope.size == 1:
        return graph.add(LeakyRelu(float(slope.reshape(()))), [x], node.outputs[0], node.name)
    return from_binary(lambda: PRelu())(node, graph)


@dataclass(frozen=True)
class PRelu(Binary):
    """y = clamp(x where x >= 0, else slope * x), of x - x_zero_point and slope - slope_zero_point, each side rounded
    once. Largest error half a step."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"PRelu": from_prelu}
    dtypes = frozenset({*MIXED, "float32"})
    is_multilinear = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, slope = inputs
        if super().infer(inputs) != x.shape:
            raise ModelError(f"slopes of shape {list(slope.shape)} do not broadcast to {list(x.shape)}")
        return x.shape

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return () if layer.inputs[0].is_constant else (0,)

    def bend(self, layer: Layer, index: int) -> int | None:
        return layer.inputs[0].zero_point if index == 0 else None

    def bound_below(self, layer: Layer) -> int:
        """Largest product of (x - x_zero_point) and (slope - slope_zero_point); int32 holds it."""
        x, slope = layer.inputs
        return largest_difference(x) * largest_difference(slope)

    def bound_above(self, layer: Layer) -> int:
        """Largest x - x_zero_point."""
        return largest_difference(layer.inputs[0])

    def requantization_below(self, layer: Layer) -> Requantization:
        """Of products, where x < 0."""
        x, slope = layer.inputs
        return requantization([x.scale * slope.scale / layer.output.scale], self.bound_below(layer), layer.where)

    def requantization_above(self, layer: Layer) -> Requantization:
        """Of x alone, where x >= 0."""
        return requantization([layer.inputs[0].scale / layer.output.scale], self.bound_above(layer), layer.where)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("PRelu", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        if y.quant is None:
            x, slope = inputs
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                return clamp_float(np.where(x < 0, x * slope, x), self.minimum, self.maximum)
        x, slope = (v.astype(np.int32) - t.zero_point for v, t in zip(inputs, layer.inputs, strict=True))
        below = requantize_output(self, x * slope, self.requantization_below(layer), self.bound_below(layer), y)
        above = requantize_output(self, x, self.requantization_above(layer), self.bound_above(layer), y)
        return np.where(x < 0, below, above)
