"""Power: one tensor to the power of another; Pow with exponents that are computed, or no one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.functions import power
from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.arithmetic.powers import Powers, integer_power
from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.pow import single_power
from mcuq.ops.unary import from_unary


def from_pow(node: OnnxNode, graph: GraphBuilder) -> str | tuple[str, ...]:
    """One constant exponent makes a function of one value."""
    if (node.is_constant(1) and node.constants[node.inputs[1]].size == 1) or "exponent" in node.attributes:
        return from_unary(single_power)(node, graph)
    return from_binary(lambda: Power())(node, graph)


@dataclass(frozen=True)
class Power(Binary):
    """y = clamp(a^b) of a - a_zero_point and b - b_zero_point, by tables of logarithms and powers of two. Largest error
    half a step, and 2^-18 * (|b| + 1) of y. Where a is negative y has the sign of the nearest whole b; 0^b is 0, 1 or
    the greatest y. In float32 it is NaN for negative a and a b that is not whole."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Pow": from_pow}
    dtypes = frozenset({*MIXED, "float32"})

    def parameters(self, layer: Layer) -> Powers:
        """The integers. Raises QuantizationError for scales that they do not hold."""
        (a, b), y = layer.inputs, layer.output
        before = 8 if y.dtype == "int8" else 15
        # b * log2(a), in 2^-24 of a step of b, is cut by `before` bits and multiplied by the step.
        bits = 30 - int(np.floor(log2(b.scale)))
        factor = min(round(b.scale * 2.0**bits), INT32_MAX)
        fraction_bits = bits - 8 - before
        base, output = log2(a.scale), -log2(y.scale)
        if not 8 <= fraction_bits <= 38 or b.scale >= 1 or max(abs(base), abs(output)) > 30:
            raise QuantizationError(
                f"{layer.where}: scales of {a.scale:g}, {b.scale:g} and {y.scale:g} of base, exponent and power are "
                "beyond what integers compute; check the calibration data, or use float32 for it"
            )
        return Powers(
            before=before,
            logarithm=round(base * 2.0**24),
            factor=factor,
            fraction_bits=fraction_bits,
            offset=round(output * 2.0**20),
            whole=round(b.scale * 2.0**30),
        )

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Pow", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        if y.quant is None:
            return clamp_float(power(*np.broadcast_arrays(*inputs)), self.minimum, self.maximum)
        a, b = (x.astype(np.int32) - t.zero_point for x, t in zip(inputs, layer.inputs, strict=True))
        return integer_power(a, b, self.parameters(layer), y.zero_point, *self.output_bounds(y)).astype(y.dtype)
