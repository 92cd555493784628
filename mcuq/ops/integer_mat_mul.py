"""IntegerMatMul: products of matrices of integers that stand for themselves, MatMulInteger's and ConvInteger's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import within
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import WHOLE
from mcuq.ops.from_integers import reach
from mcuq.ops.integer_arithmetic import INT32, IntegerArithmetic, integer
from mcuq.ops.layout import spatial_shape
from mcuq.ops.mat_mul import MatMul, product_shapes
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.unfold import Unfold
from mcuq.ops.window import axis_windows


def from_mat_mul_integer(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any ranks; zero points are numbers, or one for each row of A and each column of B."""
    rows, columns, shape = product_shapes(node)
    rank = len(rows)
    batch = range(rank - 2)
    a = _without_zero_point(node, graph, 0, rows, (rank - 2, *batch))
    b = _without_zero_point(node, graph, 1, columns, (rank - 1, *batch))
    is_whole = len(shape) == rank
    y = graph.add(IntegerMatMul(), [a, b], node.outputs[0] if is_whole else None, node.name)
    return y if is_whole else graph.add(Reshape(shape), [y], node.outputs[0])


def from_conv_integer(node: OnnxNode, graph: GraphBuilder) -> str:
    """The product of the weights and the windows, which are copied side by side; padding is the zero point."""
    spatial, weight = spatial_shape(node), node.shape(1)
    group, (batch, channels) = node.attribute("group", 1), node.shape(0)[:2]
    if len(weight) != len(node.shape(0)):
        raise node.error(f"w of shape {list(weight)} does not fit input {list(node.shape(0))}")
    if group < 1 or channels % group or weight[0] % group or weight[1] * group != channels:
        raise node.error(f"group={group} and w of shape {list(weight)} do not fit {channels} input channels")
    kernel = tuple(node.attribute("kernel_shape", weight[2:]))
    if kernel != weight[2:]:
        raise node.error(f"kernel_shape={list(kernel)} differs from that of w, {list(weight[2:])}")
    windows = axis_windows(node, kernel, spatial)
    node.computed(0)
    x = _without_zero_point(node, graph, 0, node.shape(0), ())
    before, after = zip(*((along.begin, along.end) for along in windows), strict=True)
    if any((*before, *after)):
        x = graph.add(Pad((0, 0, *before), (0, 0, *after)), [x], None, node.name)
    # (N, C, H, W) -> (N, C, KH, OH, W) -> (N, C, KH, KW, OH, OW)
    for index, along in enumerate(windows):
        unfold = Unfold(2 + 2 * index, along.kernel, along.stride, along.dilation, 2 + index)
        x = graph.add(unfold, [x], None, node.name)
    places, taps = graph.tensors[x].shape[2 + len(windows) :], prod(weight[1:])
    x = graph.add(Reshape((batch, group, taps, prod(places))), [x])
    w = _shaped(graph, _without_zero_point(node, graph, 1, weight, (0,)), (1, group, weight[0] // group, taps))
    y = graph.add(IntegerMatMul(), [w, x], None, node.name)
    return graph.add(Reshape((batch, weight[0], *places)), [y], node.outputs[0])


def _without_zero_point(node: OnnxNode, graph: GraphBuilder, index: int, shape: Shape, axes: Sequence[int]) -> str:
    """Input `index` as a tensor of `shape`, less its zero point: one number, one for each index of the first of `axes`,
    or of the shape's rank and one for each index of all of `axes`."""
    point = index + 2
    if not node.has(point):
        return _operand(node, graph, index, shape)
    given = node.shape(point)
    own: Shape = (1,) * (len(shape) - len(given)) + given
    if len(given) == 1 and axes:
        own = tuple(given[0] if axis == axes[0] else 1 for axis in range(len(shape)))
    sizes = [shape[axis] if axis in axes else 1 for axis in range(len(shape))]
    if len(own) != len(shape) or any(n not in (1, most) for n, most in zip(own, sizes, strict=True)):
        raise node.error(f"a zero point of shape {list(given)} does not fit {list(node.shape(index))}")
    if node.is_constant(index) and node.is_constant(point):
        values, zeros = (node.constant(i, "operand").astype(np.int64) for i in (index, point))
        return integer(graph, values.reshape(shape) - zeros.reshape(own), node.inputs[index])
    x = _operand(node, graph, index, shape)
    if node.is_constant(point) and not node.constant(point, "zero point").any():
        return x
    return graph.add(IntegerArithmetic("Sub"), [x, _operand(node, graph, point, own)], None, node.name)


def _operand(node: OnnxNode, graph: GraphBuilder, index: int, shape: Shape) -> str:
    if node.is_constant(index):
        return integer(graph, node.constant(index, "operand").reshape(shape), node.inputs[index])
    return _shaped(graph, node.integers(index), shape)


def _shaped(graph: GraphBuilder, x: str, shape: Shape) -> str:
    tensor = graph.tensors[x]
    if tensor.is_constant:
        return graph.constant(tensor.values.reshape(shape), x, tensor.quant)
    return x if tensor.shape == shape else graph.add(Reshape(shape), [x])


@dataclass(frozen=True)
class IntegerMatMul(Operator):
    """y[..., m, n] = sum over k of a[..., m, k] * b[..., k, n], of int32. Exact; beyond int32 modulo 2^32.

    Either may be constant; shapes have one rank and their batches broadcast as in NumPy. Where an input holds what it
    was not known to, the output's nearest integer.
    """

    from_integers: ClassVar[dict[str, FromOnnx]] = {
        "MatMulInteger": from_mat_mul_integer,
        "ConvInteger": from_conv_integer,
    }
    dtypes = WHOLE

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return MatMul().infer(inputs)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def integers(self, inputs: Sequence[Tensor]) -> Integers:
        """As many products as there are, from the ends of the inputs' ranges."""
        a, b = map(reach, inputs)
        products = [inputs[0].shape[-1] * x * y for x in a for y in b]
        holds = INT32[0] <= min(products) and max(products) <= INT32[1]
        return Integers.of(min(products), max(products)) if holds else Integers.of(*INT32)

    def macs(self, layer: Layer) -> int:
        return layer.output.elements * layer.inputs[0].shape[-1]

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        operands = [writer.node("Cast", [t.name], to=TensorProto.INT32) for t in layer.inputs]
        writer.node("Cast", [writer.node("MatMul", operands)], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        a, b = (x[None] if t.is_constant else x for x, t in zip(inputs, layer.inputs, strict=True))
        # NumPy's int64 wraps around as uint32 does.
        acc = np.matmul(a.astype(np.int64), b.astype(np.int64)).astype(np.int32)
        return within(acc, *reach(layer.output)).astype(layer.output.dtype)
