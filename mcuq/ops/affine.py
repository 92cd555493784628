"""Affine: a scale and a bias for each index of one dimension; BatchNormalization at inference.

It exists in float graphs only: passes fold it into a neighbour's weights or make it a 1x1 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import same_dimension
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, weights


def from_batch_normalization(node: OnnxNode, graph: GraphBuilder) -> str:
    """(x - mean) / sqrt(var + epsilon) * scale + B, with the statistics as they were trained."""
    if node.attribute("training_mode", 0) or any(node.outputs[1:]):
        raise node.error("is in training mode; export the model for inference (model.eval())")
    shape = node.shape(0)
    if len(shape) < 2:
        raise node.error(f"input of shape {list(shape)} has no channels")
    scale, shift, mean, variance = (
        weights(node, i + 1, what).astype(np.float64) for i, what in enumerate(("scale", "B", "mean", "var"))
    )
    if any(v.shape != (shape[1],) for v in (scale, shift, mean, variance)):
        raise node.error(f"parameters do not fit {shape[1]} channels")
    squared = variance + node.attribute("epsilon", 1e-5)
    if not squared.min() > 0:
        raise node.error(f"var + epsilon is {squared.min():g} in channel {squared.argmin()}; it must be positive")
    factor = scale / np.sqrt(squared)
    inputs = [
        node.computed(0),
        graph.constant(factor.astype(np.float32), f"{node.name}.scale"),
        graph.constant((shift - mean * factor).astype(np.float32), f"{node.name}.bias"),
    ]
    return graph.add(Affine(1), inputs, node.outputs[0], node.name)


@dataclass(frozen=True)
class Affine(Operator):
    """y = x * scale + bias along `axis`; scale and bias have one value for each of its indices."""

    axis: int

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"BatchNormalization": from_batch_normalization}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, scale, bias = inputs
        if scale.shape != (x.shape[self.axis],) or bias.shape != scale.shape:
            raise ModelError(
                f"scale {list(scale.shape)} and bias {list(bias.shape)} do not fit axis {self.axis} of {list(x.shape)}"
            )
        return x.shape

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return Affine(perm[self.axis])

    def reshaped(self, shape: Shape, source: Shape) -> Operator | None:
        axis = same_dimension(shape, self.axis, source)
        return None if axis is None else Affine(axis)

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return axis

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, scale, bias = layer.inputs
        shape = [-1 if axis == self.axis else 1 for axis in range(len(x.shape))]
        scaled = writer.node("Mul", [x.name, writer.constant(scale.values.reshape(shape))])
        writer.node("Add", [scaled, writer.constant(bias.values.reshape(shape))], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        raise NotImplementedError("Affine is folded away before a graph is quantized")
