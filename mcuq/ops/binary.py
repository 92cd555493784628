"""Elementwise operators of two tensors: how they are read, broadcast and walked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Clamped, Constants, Layer
from mcuq.graph.quantization import quant_for_range, with_dtype
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights
from mcuq.ops.reshape import Reshape
from mcuq.ops.strided import MAX_LOOPS


def from_binary(make: Callable[[], Binary]) -> FromOnnx:
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
class Binary(Clamped):
    """y = clamp(a op b); shapes have one rank and broadcast as in NumPy."""

    is_elementwise = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        a, b = inputs
        if len(a.shape) != len(b.shape) or any(
            m != n and 1 not in (m, n) for m, n in zip(a.shape, b.shape, strict=True)
        ):
            raise ModelError(f"shapes {list(a.shape)} and {list(b.shape)} do not broadcast")
        return tuple(max(m, n) for m, n in zip(a.shape, b.shape, strict=True))

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constant operands of the quantization that is given, else over their own range, in the output's type."""
        if layer.output.quant is None:
            return layer.inputs
        return tuple(_quantized_constant(t, layer.output.dtype) if t.is_constant else t for t in layer.inputs)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return tuple(i for i, t in enumerate(layer.inputs) if t.shape == layer.output.shape and not t.is_constant)


def _quantized_constant(tensor: Tensor, dtype: str) -> Tensor:
    values = tensor.values.astype(np.float64)
    if tensor.quant is not None:
        quant = with_dtype(tensor.quant, dtype)
    else:
        quant = quant_for_range(float(values.min()), float(values.max()), dtype)
    return Tensor(tensor.name, tensor.shape, dtype, quant.quantize(values), quant)


def operands(layer: Layer) -> tuple[int, int]:
    """Input indices with the computed one first: kernels take constants behind."""
    return (1, 0) if layer.inputs[0].is_constant else (0, 1)


def operand_inputs(layer: Layer) -> tuple[tuple[int, ...], dict[str, Array]]:
    """`inputs` and `arrays` of the call: computed operands, then a constant one if there is one."""
    first, second = operands(layer)
    if layer.inputs[second].is_constant:
        return (first,), {"operand": layer.inputs[second].values}
    return (first, second), {}


def is_flat(layer: Layer) -> bool:
    """Whether neither operand is repeated."""
    return all(t.shape == layer.output.shape for t in layer.inputs)


@dataclass(frozen=True)
class BroadcastConstants(Constants):
    """Loop counts, outermost first, with the distances in elements on each operand; the output is in order."""

    size_0: int
    size_1: int
    size_2: int
    size_3: int
    size_4: int
    size_5: int
    a_stride_0: int
    a_stride_1: int
    a_stride_2: int
    a_stride_3: int
    a_stride_4: int
    a_stride_5: int
    b_stride_0: int
    b_stride_1: int
    b_stride_2: int
    b_stride_3: int
    b_stride_4: int
    b_stride_5: int


def broadcast_loops(layer: Layer) -> dict[str, int]:
    """The fields of BroadcastConstants, with dimensions merged that both operands walk on through."""
    shape = layer.output.shape
    strides = []
    for index in operands(layer):
        source = layer.inputs[index].shape
        strides.append([0 if n == 1 else prod(source[axis + 1 :]) for axis, n in enumerate(source)])
    loops: list[tuple[int, int, int]] = []
    for size, a, b in zip(shape, *strides, strict=True):
        if size == 1:
            continue
        if loops and (loops[-1][1], loops[-1][2]) == (a * size, b * size):
            loops[-1] = (loops[-1][0] * size, a, b)
        else:
            loops.append((size, a, b))
    if len(loops) > MAX_LOOPS:
        raise ModelError(f"{layer.where}: broadcasts in {len(loops)} nested loops; at most {MAX_LOOPS} are supported")
    loops = [(1, 0, 0)] * (MAX_LOOPS - len(loops)) + loops
    names = ("size", "a_stride", "b_stride")
    return {f"{name}_{i}": loop[k] for k, name in enumerate(names) for i, loop in enumerate(loops)}
