"""MatMul: products of matrices that are both computed, or of which one is constant and not alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import INT32_MAX, Requantization, requantization
from mcuq.arithmetic.int16 import LONG_MAX
from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.binary import quantized_constant
from mcuq.ops.dtypes import MIXED
from mcuq.ops.requantized import least_step, requantize_output
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def product_shapes(node: OnnxNode) -> tuple[Shape, Shape, Shape]:
    """What the node's two inputs are as matrices of one rank, and its output's shape: a vector is a row on the left and
    a column on the right, batches broadcast."""
    a, b = (node.shape(i) for i in range(2))
    rows, columns = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if not a or not b or rows[-1] != columns[-2]:
        raise node.error(f"{list(a)} times {list(b)}: inner dimensions differ")
    rank = max(len(rows), len(columns))
    try:
        batch = np.broadcast_shapes(rows[:-2], columns[:-2])
    except ValueError:
        raise node.error(f"{list(a)} times {list(b)}: batches do not broadcast") from None
    shape = (*batch, *rows[-2:-1][: len(a) - 1], *columns[-1:][: len(b) - 1])
    return (1,) * (rank - len(rows)) + rows, (1,) * (rank - len(columns)) + columns, shape


def add_mat_mul(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any ranks, of which one at most is constant."""
    rows, columns, shape = product_shapes(node)
    rank = len(rows)
    x, y = _operand(node, graph, 0, rows), _operand(node, graph, 1, columns)
    output = node.outputs[0]
    if node.is_constant(0):
        # a b = (b' a')'
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        product = graph.add(MatMul(transposed=True), [graph.add(Transpose(swapped), [y]), x], None, node.name)
        product = graph.add(Transpose(swapped), [product], output if len(shape) == rank else None)
    else:
        product = graph.add(MatMul(), [x, y], output if len(shape) == rank else None, node.name)
    return product if len(shape) == rank else graph.add(Reshape(shape), [product], output)


def broadcasts_to(shape: Shape, wanted: Shape) -> bool:
    """Whether a tensor of the one shape repeats to the other."""
    return len(shape) <= len(wanted) and all(n in (1, m) for n, m in zip(shape[::-1], wanted[::-1], strict=False))


def _operand(node: OnnxNode, graph: GraphBuilder, index: int, shape: Shape) -> str:
    if node.is_constant(index):
        values = weights(node, index, "matrix").reshape(shape)
        return graph.constant(values, node.inputs[index], operand_quant(node, index))
    x = node.computed(index)
    return x if node.shape(index) == shape else graph.add(Reshape(shape), [x])


@dataclass(frozen=True)
class MatMul(Clamped):
    """y[..., m, n] = clamp(sum over k of a[..., m, k] * b[..., k, n]), rounded once; `transposed`: b is (..., n, k).

    Where `part` names indices of a batch, it is that matrix alone, of a batch of one; of what has one it is index 0.

    a is computed, b may be constant. Of int8 or int16; shapes have one rank and their batches broadcast as in NumPy.
    Largest error against the same sum of the quantized operands: half a step, and 1e-4 steps of multiplier rounding,
    256 times that where y has 16 bits.
    """

    transposed: bool = False
    part: tuple[int, ...] | None = None

    from_onnx: ClassVar[dict[str, FromOnnx]] = {}
    dtypes = frozenset({*MIXED, "float32"})

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        a, b = (t.shape for t in inputs)
        outputs, taps = (b[-2:] if self.transposed else b[:-3:-1]) if len(b) > 1 else (0, 0)
        if len(a) != len(b) or len(a) < 2 or a[-1] != taps:
            raise ModelError(f"shapes {list(a)} and {list(b)} do not multiply")
        if any(m != n and 1 not in (m, n) for m, n in zip(a[:-2], b[:-2], strict=True)):
            raise ModelError(f"batches of {list(a)} and {list(b)} do not broadcast")
        batch = tuple(max(m, n) for m, n in zip(a[:-2], b[:-2], strict=True))
        if self.part is not None:
            if len(self.part) != len(batch) or not all(
                0 <= i < n or n == 1 <= i for i, n in zip(self.part, batch, strict=True)
            ):
                raise ModelError(f"part={list(self.part)} is no index of a batch of shape {list(batch)}")
            batch = (1,) * len(batch)
        return (*batch, a[-2], outputs)

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        own = index == 0 and axis == len(layer.output.shape) - 2 and layer.inputs[1].is_constant
        return (axis, OWN_ROW) if own else None

    def begin(self, shape: Shape) -> tuple[int, ...]:
        """Where the matrix of `part` begins in an operand of this shape, in its batch."""
        return tuple(min(i, n - 1) for i, n in zip(self.part or (), shape[:-2], strict=True))

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        """The factor of a product is that of one operand."""
        return [i for i, t in enumerate(layer.inputs) if not t.is_constant][:1]

    def gain(self, index: int, squares: Sequence[float]) -> float:
        return squares[1 - index]

    def macs(self, layer: Layer) -> int:
        return layer.output.elements * layer.inputs[0].shape[-1]

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        if layer.output.quant is None:
            return layer.inputs
        return tuple(quantized_constant(t, layer.output.dtype) if t.is_constant else t for t in layer.inputs)

    def bound(self, layer: Layer) -> int:
        """Above any sum of products, with or without zero points. Raises QuantizationError where kernels hold less."""
        a = layer.inputs[0]
        bits, limit, holder = (8, INT32_MAX, "int32") if a.dtype == "int8" else (16, LONG_MAX, "a sum of 47 bits")
        bound: int = a.shape[-1] << 2 * bits
        if bound > limit:
            raise QuantizationError(
                f"{layer.where}: its accumulator can reach {bound}, more than {holder} holds ({limit}); split the "
                f"layer, which sums {a.shape[-1]} products"
            )
        return bound

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: the product of the input scales over the output's."""
        a, b = layer.inputs
        return requantization([a.scale * b.scale / layer.output.scale], self.bound(layer), layer.where)

    def least_step(self, layer: Layer) -> float:
        a, b = self.quantize_constants(layer)
        return least_step(a.scale * b.scale, self.bound(layer))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        a, b = (self._written(t, writer) for t in layer.inputs)
        if self.transposed:
            rank = len(layer.inputs[1].shape)
            b = writer.transpose(b, (*range(rank - 2), rank - 1, rank - 2))
        writer.clip(writer.node("MatMul", [a, b]), self.minimum, self.maximum, layer.output.name)

    def _written(self, tensor: Tensor, writer: OnnxWriter) -> str:
        if self.part is None:
            return tensor.name
        begin = np.array(self.begin(tensor.shape), np.int64)
        axes = np.arange(len(begin))
        return writer.node("Slice", [tensor.name, *(writer.constant(v) for v in (begin, begin + 1, axes))])

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        a, b = (x[None] if t.is_constant else x for x, t in zip(inputs, layer.inputs, strict=True))
        if self.part is not None:
            a, b = (self._taken(x) for x in (a, b))
        columns = b.swapaxes(-1, -2) if self.transposed else b
        if layer.output.quant is None:
            return simulate_mat_mul_float32(self, a, columns)
        # Sums of less than 2^47 are exact.
        reals = (x.astype(np.float64) - t.zero_point for x, t in zip((a, columns), layer.inputs, strict=True))
        acc = np.matmul(*reals).astype(np.int64)
        return requantize_output(self, acc, self.requantization(layer), self.bound(layer), layer.output)

    def _taken(self, x: Array) -> Array:
        return x[(slice(None), *(slice(i, i + 1) for i in self.begin(x.shape[1:])))]


def simulate_mat_mul_float32(op: MatMul, a: Array, b: Array) -> Array:
    """One term of the sums after the other: each product and each sum float32."""
    shape = np.broadcast_shapes(a[..., :1].shape, b[..., :1, :].shape)
    acc = np.zeros(shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for k in range(a.shape[-1]):
            acc += a[..., k, None] * b[..., k, None, :]
        return clamp_float(acc, op.minimum, op.maximum)
