"""MaxPlaces: where the largest value of each window is; output Indices of MaxPool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.ops.dtypes import ANY
from mcuq.ops.pool import maxima_shape
from mcuq.ops.window import Window


@dataclass(frozen=True)
class MaxPlaces(Operator):
    """The number of the largest value of each window among all of x, counted as (N, C, H, W), or (N, C, W, H) where
    `transposed`; x and y NHWC. The first of equal ones.

    Exact; values that the input's steps do not tell apart are equal. NaN is chosen only where there is nothing else.
    """

    window: Window
    transposed: bool = False

    hides_errors = True
    chooses_places = True
    dtypes = ANY

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return maxima_shape(self.window, inputs[0].shape)

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return Integers.of(0, inputs[0].elements - 1)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x = writer.transpose(layer.inputs[0].name, (0, 3, 1, 2))
        places = writer.second(
            "MaxPool",
            [x],
            kernel_shape=self.window.kernel,
            strides=self.window.strides,
            pads=self.window.pads,
            dilations=self.window.dilations,
            ceil_mode=self.window.onnx_ceil_mode(*layer.inputs[0].shape[1:3]),
            storage_order=int(self.transposed),
        )
        real = writer.node("Cast", [places], to=TensorProto.FLOAT)
        writer.transpose(real, (0, 2, 3, 1), layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        n, height, width, channels = layer.inputs[0].shape
        numbers = np.arange(inputs[0][0].size).reshape(
            n, channels, *(width, height) if self.transposed else (height, width)
        )
        numbers = numbers.transpose(0, 3, 2, 1) if self.transposed else numbers.transpose(0, 2, 3, 1)
        x = inputs[0].reshape(-1, height, width, channels)
        x = x if x.dtype == np.float32 else x.astype(np.int64)
        least = -np.inf if x.dtype == np.float32 else np.iinfo(np.int64).min
        best = np.full((len(x), *layer.output.shape[1:]), least, x.dtype)
        found = np.full(best.shape, -1, np.int64)
        tiled = np.tile(numbers, (len(inputs[0]), 1, 1, 1))
        for (taps, most), (places, place) in zip(
            self.window.taps(x, best), self.window.taps(tiled, found), strict=True
        ):
            place[...] = np.where((place < 0) | (taps > most), places, place)
            most[...] = np.where(taps > most, taps, most)
        return found.reshape(len(inputs[0]), *layer.output.shape).astype(layer.output.dtype)
