"""Unfold: the windows along one dimension, side by side, each with its own copy of what it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.moves import Moves


@dataclass(frozen=True)
class Unfold(Moves):
    """y[..., o, ..., k, ...] = x[..., o * stride + k * dilation, ...]: o along `axis`, and of y k along `at`. Exact."""

    axis: int
    taps: int
    stride: int
    dilation: int
    at: int

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        shape = inputs[0].shape
        size, extent = shape[self.axis], self.dilation * (self.taps - 1) + 1
        if extent > size:
            raise ModelError(f"a window of {extent} does not fit dimension {self.axis} of {list(shape)}")
        windows = (*shape[: self.axis], (size - extent) // self.stride + 1, *shape[self.axis + 1 :])
        return (*windows[: self.at], self.taps, *windows[self.at :])

    def places_along(self, layer: Layer) -> Array:
        """Where along `axis` each window (rows) has its taps (columns)."""
        windows = np.delete(layer.output.shape, self.at)[self.axis]
        return np.arange(windows)[:, None] * self.stride + np.arange(self.taps) * self.dilation

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        indices = writer.constant(self.places_along(layer).astype(np.int64))
        y = writer.node("Gather", [layer.inputs[0].name, indices], axis=self.axis)
        perm = [axis for axis in range(len(layer.output.shape)) if axis != self.axis + 1]
        perm.insert(self.at, self.axis + 1)
        writer.transpose(y, tuple(perm), layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = inputs[0].take(self.places_along(layer), axis=self.axis + 1)
        return np.moveaxis(y, self.axis + 2, self.at + 1)
