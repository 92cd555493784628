"""Elementwise operators of two tensors: how they are read and broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.expression import Expression
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.quantization import quant_for_range, with_dtype
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOneOutput, OnnxNode, weights
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.reshape import Reshape


def from_binary(make: Callable[[], Binary]) -> FromOneOutput:
    """`from_onnx` of a binary operator: both inputs get the rank of the longer, constants keep their place."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        rank = max(len(node.shape(0)), len(node.shape(1)))
        inputs = []
        for index in range(2):
            shape = (1,) * (rank - len(node.shape(index))) + node.shape(index)
            if node.is_constant(index):
                values = weights(node, index, "operand").reshape(shape)
                inputs.append(graph.constant(values, node.inputs[index], operand_quant(node, index)))
            elif shape != node.shape(index):
                inputs.append(graph.add(Reshape(shape), [node.computed(index)]))
            else:
                inputs.append(node.computed(index))
        return graph.add(make(), inputs, node.outputs[0], node.name)

    return add


@dataclass(frozen=True)
class Binary(Elementwise, Clamped):
    """y = clamp(a op b); shapes have one rank and broadcast as in NumPy."""

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        a, b = inputs
        if len(a.shape) != len(b.shape) or any(
            m != n and 1 not in (m, n) for m, n in zip(a.shape, b.shape, strict=True)
        ):
            raise ModelError(f"shapes {list(a.shape)} and {list(b.shape)} do not broadcast")
        return tuple(max(m, n) for m, n in zip(a.shape, b.shape, strict=True))

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
