"""Mod: the remainder of a quotient that is cut towards zero, with the sign of the dividend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.functions import remainder
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.requantized import largest_difference, requantize_output

# The largest factor of an operand: int32 holds that times what an operand differs from its zero point by.
_MOST = {"int8": 2**22, "int16": 2**15}


def from_mod(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of floats, which ONNX has with fmod=1 alone."""
    if not node.attribute("fmod", 0):
        raise node.error("fmod=0 is for integers; use fmod=1, whose result has the sign of the first input")
    return from_binary(lambda: Mod())(node, graph)


@dataclass(frozen=True)
class Mod(Binary):
    """y = clamp(a - b * (a / b cut to a whole number)) of a - a_zero_point and b - b_zero_point, in a unit of which
    both steps are multiples. Largest error half a step, and 2^-22 of a, of int16 2^-15, unless a is as near to a
    multiple of b. Where b is 0, y is 0, in float32 NaN; there it is exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Mod": from_mod}
    dtypes = frozenset({*MIXED, "float32"})

    def factors(self, layer: Layer) -> tuple[int, int]:
        """The operands' steps in a common unit.

        One that is less than the other by more than they can say counts as so much less: then a is its own remainder,
        or less is known of it than a multiple of b.
        """
        (a, b), most = layer.inputs, _MOST[layer.output.dtype]
        if a.scale <= b.scale:
            return _ratio(a.scale / b.scale, most)
        second, first = _ratio(b.scale / a.scale, most)
        return first, second

    def bound(self, layer: Layer) -> int:
        """Largest remainder, which is no larger than either operand."""
        return min(largest_difference(t) * f for t, f in zip(layer.inputs, self.factors(layer), strict=True))

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: the unit, of the operand of smaller steps, over the output's step."""
        unit = min((t.scale, t.scale / f) for t, f in zip(layer.inputs, self.factors(layer), strict=True))[1]
        return requantization([unit / layer.output.scale], self.bound(layer), layer.where)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Mod", [t.name for t in layer.inputs], fmod=1)
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        if y.quant is None:
            return clamp_float(remainder(*np.broadcast_arrays(*inputs)), self.minimum, self.maximum)
        a, b = (
            (x.astype(np.int64) - t.zero_point) * f
            for x, t, f in zip(inputs, layer.inputs, self.factors(layer), strict=True)
        )
        rest = np.where(b == 0, 0, np.fmod(a, np.where(b == 0, 1, b)))
        return requantize_output(self, rest, self.requantization(layer), self.bound(layer), y)


def _ratio(ratio: float, most: int) -> tuple[int, int]:
    """Numerator and denominator, at most `most`, of a ratio up to 1; 1 / (most + 1) for what is less than they say."""
    found = Fraction(ratio).limit_denominator(most)
    return (found.numerator, found.denominator) if found else (1, most + 1)
