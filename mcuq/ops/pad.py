"""Pad: constant values around a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isinf, prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Call, Constants, Kernel, Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.float_weights import FLOAT32
from mcuq.ops.requantized import C_TYPES
from mcuq.ops.strided import MOVED, StridedScatter, strided_loops


@dataclass(frozen=True)
class FillConstants(Constants):
    """How many elements of which value."""

    template = "fill"

    element_type: str
    elements: int
    value: int


@dataclass(frozen=True)
class FillFloatConstants(Constants):
    """How many elements of which value."""

    template = "fill_float"
    computes_in_float = True

    elements: int
    value: float


def from_pad(node: OnnxNode, graph: GraphBuilder) -> str:
    """Constant mode; negative pads crop."""
    mode = node.attribute("mode", "constant")
    if mode != "constant":
        raise node.error(f"mode={mode} is not supported; use mode=constant")
    shape = node.shape(0)
    rank = len(shape)
    pads = node.ints("pads", 1)
    # Opset 18 and later may name the dimensions that `pads` is about.
    axes = node.ints("axes", 3) if node.has(3) else tuple(range(rank))
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        raise node.error(f"pads={pads} must have two entries a dimension of {list(shape)}")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        axis = normalized_axis(axis, rank, node)
        before[axis], after[axis] = pads[i], pads[len(axes) + i]
    value = node.real("value", 2, 0.0)
    if isinf(value):
        raise node.error(f"value={value} is not supported; use a finite value")
    x = node.computed(0)
    if min(*before, *after) < 0:
        raise node.error(f"pads={list(pads)} crop; use Slice")
    return graph.add(Pad(tuple(before), tuple(after), value), [x], node.outputs[0], node.name)


def lower_pad(op: Pad, layer: Layer) -> tuple[Call, ...]:
    """Where the input goes in the output; the rest is filled before."""
    y = layer.output
    value = int(y.quantization.quantize(np.array([op.value]))[0])
    return (
        Call(FillConstants(C_TYPES[y.dtype], y.elements, value), inputs=()),
        _inner(op, layer),
    )


def lower_pad_float(op: Pad, layer: Layer) -> tuple[Call, ...]:
    """The same of floats."""
    return Call(FillFloatConstants(layer.output.elements, float32(op.value)), inputs=()), _inner(op, layer)


def _inner(op: Pad, layer: Layer) -> Call:
    x, y = layer.inputs[0], layer.output
    strides = [prod(y.shape[axis + 1 :]) for axis in range(len(y.shape))]
    start = sum(b * s for b, s in zip(op.before, strides, strict=True))
    return Call(strided_loops(StridedScatter, layer, x.shape, strides, start))


@dataclass(frozen=True)
class Pad(Operator):
    """`before` and `after` elements of `value` around each dimension. Exact where `value` is a code of the
    shared scale; zero always is."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float = field(default=0.0)

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Pad": from_pad}
    shares_scale = True
    dtypes = MOVED
    kernels = (Kernel(lower_pad_float, activations=FLOAT32), Kernel(lower_pad, activations=MOVED - FLOAT32))

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        shape = inputs[0].shape
        if len(shape) != len(self.before):
            raise ModelError(f"pads of {len(self.before)} dimensions do not fit {list(shape)}")
        return tuple(b + n + a for b, n, a in zip(self.before, shape, self.after, strict=True))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        pads = writer.constant(np.array([*self.before, *self.after], np.int64))
        value = writer.constant(np.array(self.value, np.float32))
        writer.node("Pad", [layer.inputs[0].name, pads, value], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        value = layer.output.encode(np.array(self.value))
        widths = [(0, 0), *zip(self.before, self.after, strict=True)]
        return np.pad(inputs[0], widths, constant_values=value)
