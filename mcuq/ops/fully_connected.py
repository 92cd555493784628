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
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.add import Add
from mcuq.ops.float_weights import (
    dynamic_input,
    dynamic_output,
    dynamic_product_dtype,
    float_output,
    is_dynamic,
    is_float,
    real_input,
)
from mcuq.ops.mat_mul import MatMul, add_mat_mul, broadcasts_to
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose
from mcuq.ops.weighted import exact_product_dtype
from mcuq.ops.weighted_operator import Weighted


def from_gemm(node: OnnxNode, graph: GraphBuilder) -> str:
    """alpha * A' * B' + beta * C: one layer where B is constant, and C a constant row."""
    shapes = [node.shape(i) for i in range(3 if node.has(2) else 2)]
    if len(shapes[0]) != 2 or len(shapes[1]) != 2:
        raise node.error(f"A of shape {list(shapes[0])} and B of shape {list(shapes[1])} must be matrices")
    a, b = (shapes[i][::-1] if node.attribute(name, 0) else shapes[i] for i, name in enumerate(("transA", "transB")))
    if a[1] != b[0]:
        raise node.error(f"{list(a)} times {list(b)}: inner dimensions differ")
    if len(shapes) == 3 and not broadcasts_to(shapes[2], (a[0], b[1])):
        raise node.error(f"C of shape {list(shapes[2])} does not broadcast to {[a[0], b[1]]}")
    has_row = len(shapes) == 3 and node.is_constant(2) and prod(shapes[2]) in (1, b[1]) and prod(shapes[2][:-1]) == 1
    is_one_layer = node.is_constant(1) and (len(shapes) == 2 or has_row)
    output = node.outputs[0] if is_one_layer or len(shapes) == 2 else None
    if not node.is_constant(1):
        y = _computed_gemm(node, graph, output)
        return y if len(shapes) == 2 else _plus(node, graph, y)
    x = node.computed(0)
    if node.attribute("transA", 0):
        x = graph.add(Transpose((1, 0)), [x])
    matrix = weights(node, 1, "B")
    transposed, alpha = bool(node.attribute("transB", 0)), np.float32(node.attribute("alpha", 1.0))
    weight = (matrix if transposed else matrix.T) * alpha
    quant = weight_quant(node, 1, axis=0 if transposed else 1)
    quant = quant.scaled(np.array(alpha)) if quant else None
    bias = np.zeros(weight.shape[0], np.float32)
    if has_row:
        given = weights(node, 2, "C") * np.float32(node.attribute("beta", 1.0))
        bias = np.broadcast_to(given.reshape(-1), bias.shape)
    y = _add(node, graph, x, weight, bias, output, quant)
    return y if is_one_layer else _plus(node, graph, y)


def _computed_gemm(node: OnnxNode, graph: GraphBuilder, output: str | None) -> str:
    """alpha * A' * B' with computed B."""
    alpha, transposed = np.float32(node.attribute("alpha", 1.0)), bool(node.attribute("transB", 0))
    swapped = bool(node.attribute("transA", 0))
    last = output if alpha == 1 else None
    if node.is_constant(0):
        # (A B)' = B' A'
        matrix = weights(node, 0, "A")
        b = node.computed(1) if transposed else graph.add(Transpose((1, 0)), [node.computed(1)])
        quant = weight_quant(node, 0, axis=1 if swapped else 0)
        rows = _rows_times(node, graph, b, matrix.T if swapped else matrix, None, quant)
        y = graph.add(Transpose((1, 0)), [rows], last)
    else:
        a = graph.add(Transpose((1, 0)), [node.computed(0)]) if swapped else node.computed(0)
        y = graph.add(MatMul(transposed=transposed), [a, node.computed(1)], last, node.name)
    return y if alpha == 1 else graph.add(Mul(), [y, graph.constant(alpha.reshape(1, 1))], output)


def _plus(node: OnnxNode, graph: GraphBuilder, y: str) -> str:
    """y + beta * C."""
    beta = np.float32(node.attribute("beta", 1.0))
    shape = (1,) * (2 - len(node.shape(2))) + node.shape(2)
    if node.is_constant(2):
        c = graph.constant(weights(node, 2, "C").reshape(shape) * beta, f"{node.name}.C")
    else:
        c = node.computed(2) if shape == node.shape(2) else graph.add(Reshape(shape), [node.computed(2)])
        if beta != 1:
            c = graph.add(Mul(), [c, graph.constant(beta.reshape(1, 1))])
    return graph.add(Add(), [y, c], node.outputs[0])


def from_matmul(node: OnnxNode, graph: GraphBuilder) -> str:
    """A constant matrix or vector on either side, one on the left as the transpose of one on the right; MatMul for all
    others."""
    side = next((i for i in (0, 1) if node.is_constant(i) and len(node.shape(i)) in (1, 2)), None)
    if side is None:
        return add_mat_mul(node, graph)
    given = weights(node, side, "matrix")
    x, shape = node.computed(1 - side), node.shape(1 - side)
    left, is_vector = side == 0, given.ndim == 1
    if shape[-2 if left and len(shape) > 1 else -1] != given.shape[0 if is_vector or not left else 1]:
        a, b = (given.shape, shape) if left else (shape, given.shape)
        raise node.error(f"{list(a)} times {list(b)}: inner dimensions differ")
    rows = given.reshape(1, -1) if is_vector else given if left else given.T
    quant = weight_quant(node, side, axis=side)
    if left and len(shape) > 1:
        # (matrix x)' = x' matrix'
        swapped = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        y = _rows_times(node, graph, graph.add(Transpose(swapped), [x]), rows, None, quant)
        if is_vector:
            return graph.add(Reshape((*shape[:-2], shape[-1])), [y], node.outputs[0])
        return graph.add(Transpose(swapped), [y], node.outputs[0])
    if is_vector:
        return graph.add(Reshape(shape[:-1]), [_rows_times(node, graph, x, rows, None, quant)], node.outputs[0])
    return _rows_times(node, graph, x, rows, node.outputs[0], quant)


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

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        # The range of a dynamic layer's input is that of all its rows.
        return None if axis or is_dynamic(layer) else (0, OWN_ROW)

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
