"""SparseProduct: sums of a few elements along one dimension times constants; what interpolation comes down to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import INT32_MAX, Requantization, requantization
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import MIXED
from mcuq.ops.requantized import largest_difference, requantize_output

# Largest magnitudes of a weight and of an accumulator, where both activations are int8, and where one has 16 bits.
_SHORT, _LONG = (2**15 - 1, INT32_MAX), (2**30, 2**46)
_MOST_BITS = 30
LEAST_WEIGHT = 2.0**-22  # what is less comes from rounding
MOST_PLACES = 2**24  # indices are float32 in the graph, as all constants are


@dataclass(frozen=True)
class IntegerWeights:
    """Weights (outputs, taps) times 2^bits, and for each output the sum that it starts from."""

    weight: Array
    bits: int
    start: Array


@dataclass(frozen=True)
class SparseProduct(Clamped):
    """y[..., j, ...] = clamp(sum over k of weight[j, k] * x[..., index[j, k], ...]), j and the index along `axis`.

    `index` and `weight` are (outputs, taps). Weights are integers / 2^bits, a row's as many in sum as its real ones, so
    that what is even stays so; sums are exact and rounded once: largest error half a step, and that of the weights,
    which is taps * 2^-bits times what x spans, with bits at least 14 for int8 and 29 else where rows of magnitudes sum
    to 1, and one less for each power of two of that sum.
    """

    axis: int

    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    passes_channels: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, index, weight = inputs
        if len(index.shape) != 2 or index.shape != weight.shape:
            raise ModelError(f"index {list(index.shape)} and weight {list(weight.shape)} must be (outputs, taps)")
        places = x.shape[self.axis]
        if places > MOST_PLACES or index.values.min() < 0 or index.values.max() >= places:
            raise ModelError(f"an index is outside dimension {self.axis} of {list(x.shape)}")
        return (*x.shape[: self.axis], index.shape[0], *x.shape[self.axis + 1 :])

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        # The constants have two dimensions and would be turned with such an x.
        return replace(self, axis=perm[self.axis]) if len(perm) != 2 else None

    def mixed_axes(self, rank: int) -> Collection[int]:
        return (self.axis,)

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self if self.axis != len(y) - 1 else None

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def macs(self, layer: Layer) -> int:
        return layer.output.elements * layer.inputs[1].shape[1]

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, index, weight = layer.inputs
        taps = writer.node("Gather", [x.name, writer.constant(_places(index))], axis=self.axis)
        column = weight.values.reshape(*weight.shape, *(1,) * (len(x.shape) - self.axis - 1))
        terms = writer.node("Mul", [taps, writer.constant(column)])
        # ReduceSum has its axes as an input from opset 13 on.
        y = writer.node("ReduceSum", [terms, writer.constant(np.array([self.axis + 1], np.int64))], keepdims=0)
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def integer_weights(self, layer: Layer) -> IntegerWeights:
        """The weights of a layer of integers, as fine as its accumulator has room for."""
        x, _, weight = layer.inputs
        real, largest = weight.values.astype(np.float64), largest_difference(x)
        most, limit = _SHORT if x.dtype == layer.output.dtype == "int8" else _LONG
        limit = INT32_MAX if x.dtype == "int8" else limit
        bits = _MOST_BITS
        while bits and (
            np.abs(real).max() * 2.0**bits > most - real.shape[1]
            or (np.abs(real).sum(axis=1).max() * 2.0**bits + real.shape[1]) * largest > limit
        ):
            bits -= 1
        scaled = real * 2.0**bits
        q = np.rint(scaled).astype(np.int64)
        rest = np.rint(scaled.sum(axis=1)).astype(np.int64) - q.sum(axis=1)
        q[np.arange(len(q)), np.abs(scaled).argmax(axis=1)] += rest
        return IntegerWeights(q, bits, -x.zero_point * q.sum(axis=1))

    def bound(self, layer: Layer) -> int:
        """Largest sum of weight * (x - zero_point), and with that of weight * x, for any part of a row."""
        return int(np.abs(self.integer_weights(layer).weight).sum(axis=1).max()) * largest_difference(layer.inputs[0])

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: input scale / (output scale * 2^bits)."""
        factor = layer.inputs[0].scale / (layer.output.scale * 2.0 ** self.integer_weights(layer).bits)
        return requantization([factor], self.bound(layer), layer.where)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        (x, index, weight), y = layer.inputs, layer.output
        taps = inputs[0].take(_places(index), axis=self.axis + 1)
        row = (-1, *(1,) * (len(x.shape) - self.axis - 1))
        if y.quant is None:
            acc = np.zeros((len(taps), *y.shape), np.float32)
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                for k in range(index.shape[1]):
                    acc += taps.take(k, axis=self.axis + 2) * weight.values[:, k].reshape(row)
            return clamp_float(acc, self.minimum, self.maximum)
        integers = self.integer_weights(layer)
        acc = np.zeros((len(taps), *y.shape), np.int64)
        acc += integers.start.reshape(row)
        for k in range(index.shape[1]):
            acc += taps.take(k, axis=self.axis + 2).astype(np.int64) * integers.weight[:, k].reshape(row)
        return requantize_output(self, acc[..., None], self.requantization(layer), self.bound(layer), y)[..., 0]


def sparse_product(graph: GraphBuilder, x: str, axis: int, matrix: Array, name: str) -> str:
    """Adds the product of `x` along `axis` with a constant matrix (outputs, places)."""
    matrix = np.where(np.abs(matrix) < LEAST_WEIGHT, 0, matrix).astype(np.float32)
    taps = max(1, int(np.count_nonzero(matrix, axis=1).max()))
    # Stable, so that a row's places are in order.
    index = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
    inputs = [
        x,
        graph.constant(index.astype(np.float32), f"{name}.index"),
        graph.constant(np.take_along_axis(matrix, index, axis=1), f"{name}.weight"),
    ]
    return graph.add(SparseProduct(axis), inputs, name=name)


def _places(index: Tensor) -> Array:
    return index.values.astype(np.int64)
