"""Div: the quotient of two tensors, rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression
from mcuq.arithmetic.float32 import clamp_float, float_quotient
from mcuq.arithmetic.int8 import Quotient, quotient, quotient_parameters, quotient_s16
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.mul import Mul
from mcuq.ops.reciprocal import Reciprocal


def from_division(node: OnnxNode, graph: GraphBuilder) -> str:
    """x / c is x * (1 / c): a rounding of float32 more; 1 / x is a function of one value."""
    if node.is_constant(1):
        return _times_reciprocal(node, graph)
    if node.is_constant(0) and node.given(0) is None and len(node.shape(0)) <= len(node.shape(1)):
        dividend = weights(node, 0, "dividend")
        if dividend.size == 1 and dividend.item() == 1:
            return graph.add(Reciprocal(), [node.computed(1)], node.outputs[0], node.name)
    return from_binary(lambda: Div())(node, graph)


def _times_reciprocal(node: OnnxNode, graph: GraphBuilder) -> str:
    divisor = weights(node, 1, "divisor")
    zeros = divisor.size - np.count_nonzero(divisor)
    if zeros:
        raise node.error(
            f"divisor '{node.inputs[1]}' has {zeros} zeros of {divisor.size} values; train or export it again"
        )
    quants = {name: quant for name, quant in node.quants.items() if name != node.inputs[1]}
    constants = {**node.constants, node.inputs[1]: np.float32(1) / divisor}
    return from_binary(lambda: Mul())(replace(node, constants=constants, quants=quants), graph)


@dataclass(frozen=True)
class Div(Binary):
    """y = clamp(a / b) from (a - a_zero_point) / (b - b_zero_point). Largest error half a step, and 2^-15 steps of
    factor rounding. Where b is 0, y is the bound of its codes on the side of a's sign, and 0 where a is 0 too; in
    float32 infinite and NaN."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Div": from_division}
    dtypes = frozenset({*MIXED, "float32"})

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return () if layer.inputs[0].is_constant else (0,)

    def gain(self, index: int, squares: Sequence[float]) -> float:
        a, b = squares
        if b == 0:
            return 1.0
        return 1 / b if index == 0 else a / b**2

    def expression(self, a: Expression, b: Expression) -> Expression | None:
        return a / b

    def parameters(self, layer: Layer) -> Quotient:
        """The integers for one factor: the dividend's scale over those of the divisor and of the output."""
        a, b = layer.inputs
        return quotient_parameters(a.scale / b.scale / layer.output.scale, layer.output.dtype)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Div", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        if y.quant is None:
            return clamp_float(float_quotient(*inputs), self.minimum, self.maximum)
        a, b = (x.astype(np.int32) - t.zero_point for x, t in zip(inputs, layer.inputs, strict=True))
        divide = quotient if y.dtype == "int8" else quotient_s16
        return divide(a, b, self.parameters(layer), y.zero_point, *self.output_bounds(y)).astype(y.dtype)
