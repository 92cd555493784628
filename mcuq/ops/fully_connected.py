"""FullyConnected: a matrix of weights times each row; Gemm, and MatMul with a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.float_weights import (
    dynamic_input,
    dynamic_output,
    dynamic_product_dtype,
    float_output,
    is_dynamic,
    is_float,
    real_input,
)
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.ops.weighted import exact_product_dtype
from mcuq.ops.weighted_operator import Weighted


def from_gemm(node: OnnxNode, graph: GraphBuilder) -> str:
    """alpha * A' * B' + beta * C with constant B and C; C broadcasts to a row."""
    x, shape = node.computed(0), node.shape(0)
    matrix = weights(node, 1, "B")
    if len(shape) != 2 or matrix.ndim != 2:
        raise node.error(f"A of shape {list(shape)} and B of shape {list(matrix.shape)} must be matrices")
    if node.attribute("transA", 0):
        x = graph.add(Transpose((1, 0)), [x])
    transposed, alpha = bool(node.attribute("transB", 0)), np.float32(node.attribute("alpha", 1.0))
    weight = (matrix if transposed else matrix.T) * alpha
    quant = weight_quant(node, 1, axis=0 if transposed else 1)
    quant = quant.scaled(np.array(alpha)) if quant else None
    bias = np.zeros(weight.shape[0], np.float32)
    if node.has(2):
        given = weights(node, 2, "C") * np.float32(node.attribute("beta", 1.0))
        if given.size not in (1, weight.shape[0]) or (given.ndim == 2 and given.shape[0] != 1):
            raise node.error(f"C of shape {list(given.shape)} is not one row of {weight.shape[0]} values")
        bias = np.broadcast_to(given.reshape(-1), bias.shape)
    return _add(node, graph, x, weight, bias, node.outputs[0], quant)


def from_matmul(node: OnnxNode, graph: GraphBuilder) -> str:
    """A constant matrix on either side; a constant on the left is the transpose of one on the right."""
    if node.is_constant(0) == node.is_constant(1):
        raise node.error("needs one constant matrix; products of two computed tensors are not supported")
    left = node.is_constant(0)
    matrix = weights(node, 0 if left else 1, "matrix")
    x, shape = node.computed(1 if left else 0), node.shape(1 if left else 0)
    if matrix.ndim != 2 or len(shape) < 1 + left:
        raise node.error(
            f"a constant of shape {list(matrix.shape)} times a tensor of shape {list(shape)} is not supported; "
            "use a constant matrix"
        )
    if shape[-1 - left] != matrix.shape[1 if left else 0]:
        a, b = (matrix.shape, shape) if left else (shape, matrix.shape)
        raise node.error(f"{list(a)} times {list(b)}: inner dimensions differ")
    if left:
        # (matrix x)' = x' matrix'
        swapped = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        x = graph.add(Transpose(swapped), [x])
        y = _rows_times(node, graph, x, matrix, None, weight_quant(node, 0, axis=0))
        return graph.add(Transpose(swapped), [y], node.outputs[0])
    return _rows_times(node, graph, x, matrix.T, node.outputs[0], weight_quant(node, 1, axis=1))


def _rows_times(
    node: OnnxNode, graph: GraphBuilder, x: str, weight: Array, output: str | None, quant: Quant | None
) -> str:
    """Each row of `x`, of any rank, times `weight` (outputs, inputs)."""
    shape = graph.tensors[x].shape
    zeros = np.zeros(weight.shape[0], np.float32)
    if len(shape) == 2:
        return _add(node, graph, x, weight, zeros, output, quant)
    rows = graph.add(Reshape((prod(shape[:-1]), shape[-1])), [x])
    y = _add(node, graph, rows, weight, zeros, None, quant)
    return graph.add(Reshape((*shape[:-1], weight.shape[0])), [y], output)


def _add(
    node: OnnxNode, graph: GraphBuilder, x: str, weight: Array, bias: Array, output: str | None, quant: Quant | None
) -> str:
    inputs = [x, graph.constant(weight, f"{node.name}.weight", quant), graph.constant(bias, f"{node.name}.bias")]
    return graph.add(FullyConnected(), inputs, output, node.name)


@dataclass(frozen=True)
class FullyConnected(Weighted):
    """y[m, oc] = clamp(sum over ic of x[m, ic] * weight[oc, ic], plus bias[oc]), rounded once.

    x and y of 8 or 16 bits, each as it likes. Largest error against the same sum of the quantized operands: half a
    step, and of multiplier rounding 1e-4 steps in channels whose weight scale is at least 2^-9 of the largest, 0.032
    steps down to the smallest that there can be, 2^-18; 256 times that where y has 16 bits.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Gemm": from_gemm, "MatMul": from_matmul}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, weight, bias = inputs
        if len(x.shape) != 2 or len(weight.shape) != 2 or x.shape[1] != weight.shape[1]:
            raise ModelError(f"input {list(x.shape)} does not fit weight {list(weight.shape)} (outputs, inputs)")
        if bias.shape != weight.shape[:1]:
            raise ModelError(f"bias {list(bias.shape)} does not fit {weight.shape[0]} outputs")
        return (x.shape[0], weight.shape[0])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Gemm", [t.name for t in layer.inputs], transB=1)
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if is_float(layer):
            return simulate_fully_connected_float32(self, layer, inputs[0])
        if is_dynamic(layer):
            return simulate_fully_connected_dynamic(self, layer, inputs[0])
        return self.requantized(layer, self.sums(layer, inputs[0]))

    def sums(self, layer: Layer, x: Array) -> Array:
        weight = layer.inputs[1].values
        dtype = exact_product_dtype(layer.inputs[0], weight)
        return x.astype(dtype) @ weight.T.astype(dtype)

    def macs(self, layer: Layer) -> int:
        return layer.inputs[0].shape[0] * layer.inputs[1].elements


def simulate_fully_connected_float32(op: FullyConnected, layer: Layer, inputs: Array) -> Array:
    """bias + x * weight for one input feature after the other: each product and each sum float32."""
    real = real_input(layer.inputs[0], inputs)
    columns = layer.inputs[1].values.astype(np.float32).T
    acc = np.empty((*real.shape[:-1], columns.shape[1]), np.float32)
    acc[:] = layer.inputs[2].values
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for ic, column in enumerate(columns):
            acc += real[..., ic, None] * column
    return float_output(op, layer.output, acc)


def simulate_fully_connected_dynamic(op: FullyConnected, layer: Layer, inputs: Array) -> Array:
    """The sums are exact, so that their order does not matter."""
    weight = layer.inputs[1].values
    dtype = dynamic_product_dtype(weight)
    differences, scale = dynamic_input(inputs)
    acc = (differences.astype(dtype) @ weight.T.astype(dtype)).astype(np.int32)
    return dynamic_output(op, layer, acc, scale)
