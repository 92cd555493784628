"""Elementwise operators of two tensors: how they are read and broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.expression import Expression
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.quantization import quant_for_range, with_dtype
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOneOutput, OnnxNode
from mcuq.ops.elementwise import Elementwise, broadcast_shape
from mcuq.ops.operands import operands_of_one_rank


def from_binary(make: Callable[[], Binary]) -> FromOneOutput:
    """`from_onnx` of a binary operator: both inputs get the rank of the longer, constants keep their place."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        return graph.add(make(), operands_of_one_rank(node, graph, range(2)), node.outputs[0], node.name)

    return add


@dataclass(frozen=True)
class Binary(Elementwise, Clamped):
    """y = clamp(a op b); shapes have one rank and broadcast as in NumPy."""

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return broadcast_shape(inputs)

    def affine(self, constant: Array, index: int) -> tuple[Array, Array] | None:
        """(scale, bias) of what it is of its other operand where operand `index` is constant; None where it is no such
        thing."""
        return None

    def expression(self, a: Expression, b: Expression) -> Expression | None:
        """What it is of its operands, bounds aside; None where that cannot be said."""
        return None

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constant operands of the quantization that is given, else over their own range, in the output's type."""
        if layer.output.quant is None:
            return layer.inputs
        return tuple(quantized_constant(t, layer.output.dtype) if t.is_constant else t for t in layer.inputs)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return tuple(i for i, t in enumerate(layer.inputs) if t.shape == layer.output.shape and not t.is_constant)


def quantized_constant(tensor: Tensor, dtype: str) -> Tensor:
    """A constant operand of the quantization that is given, else over its own range."""
    values = tensor.values.astype(np.float64)
    if tensor.quant is not None:
        quant = with_dtype(tensor.quant, dtype)
    else:
        quant = quant_for_range(float(values.min()), float(values.max()), dtype)
    return Tensor(tensor.name, tensor.shape, dtype, quant.quantize(values), quant)
