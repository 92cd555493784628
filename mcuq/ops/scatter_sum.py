"""ScatterSum: the sums of what indices along one dimension say; ScatterElements and ScatterND with reduction add."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.arithmetic.integers import index_within, within_long
from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.ops.binary import quantized_constant
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.from_integers import reach
from mcuq.ops.moved_constants import of_all_samples
from mcuq.ops.requantized import largest_difference, requantize_output


@dataclass(frozen=True)
class ScatterSum(Clamped):
    """y = 0, and y[.., indices[.., i, ..], ..] += x[.., i, ..] along `axis`, which has `size` places; limits behind.

    Largest error half a step; of integers of the file exact, limited to int32. Indices below 0 count from the back,
    those beyond are taken for the nearest that there is.
    """

    axis: int
    size: int

    choosing = (1,)
    dtypes = MIXED | FLOAT32

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, indices = (t.shape for t in inputs)
        if x != indices:
            raise ModelError(f"indices of shape {list(indices)} do not fit updates of shape {list(x)}")
        return (*x[: self.axis], self.size, *x[self.axis + 1 :])

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        if inputs[0].integers is None:
            return None
        low, high = reach(inputs[0])
        count = inputs[0].shape[self.axis]
        return Integers.of(min(0, count * low), max(0, count * high))

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        return (-self.size, self.size - 1) if index == 1 else None

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constant updates over their own range, in the output's type."""
        x, indices = layer.inputs
        if not x.is_constant or layer.output.quant is None or x.integers is not None:
            return layer.inputs
        return quantized_constant(x, layer.output.dtype), indices

    def bound(self, layer: Layer) -> int:
        """Largest sum of (x - zero_point)."""
        return largest_difference(layer.inputs[0]) * layer.inputs[0].shape[self.axis]

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: input scale / output scale."""
        return requantization([layer.inputs[0].scale / layer.output.scale], self.bound(layer), layer.where)

    def sizes(self, layer: Layer) -> tuple[int, int, int]:
        """Elements before the axis, along it and behind it, of x."""
        shape = layer.inputs[0].shape
        return prod(shape[: self.axis]), shape[self.axis], prod(shape[self.axis + 1 :])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, indices = (t.name for t in layer.inputs)
        zeros = writer.constant(np.zeros(layer.output.shape, np.float32))
        whole = writer.node("Cast", [indices], to=TensorProto.INT64)
        y = writer.node("ScatterElements", [zeros, whole, x], axis=self.axis, reduction="add")
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        values, indices = of_all_samples(layer, inputs)
        (x, _), y = layer.inputs, layer.output
        places = index_within(indices, self.size)
        if y.quant is None:
            return clamp_float(self._sums(values, places, np.float32), self.minimum, self.maximum)
        if y.integers is not None:
            return within_long(self._sums(values, places, np.int64), *reach(y)).astype(y.dtype)
        acc = self._sums(values.astype(np.int64) - x.zero_point, places, np.int64)
        return requantize_output(self, acc[..., None], self.requantization(layer), self.bound(layer), y)[..., 0]

    def _sums(self, values: Array, places: Array, dtype: type) -> Array:
        """One addition after the other, in the order of the elements."""
        axis = self.axis + 1
        sums: Array = np.zeros((*values.shape[:axis], self.size, *values.shape[axis + 1 :]), dtype)
        at: list[Array] = list(np.indices(values.shape, sparse=True))
        at[axis] = places
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            np.add.at(sums, tuple(at), values.astype(dtype))
        return sums
