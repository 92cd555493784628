"""Normalize: mean 0 and variance 1 along dimensions, then a scale and a bias; LayerNormalization and its like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from mcuq.arithmetic.float32 import ONE, clamp_float
from mcuq.arithmetic.functions import square_root
from mcuq.arithmetic.int8 import multiply_high
from mcuq.arithmetic.normalize import (
    MAX_SPAN,
    EpsilonBits,
    ScaleAndBias,
    epsilon_bits,
    guard_bits,
    normalized,
    normalizer_of,
    scale_and_bias,
)
from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import MIXED

# An epsilon where there is none: so little changes no float32, and what is all zeros stays so.
TINY = 1e-30
MOST_RUNS = 4  # of neighbouring dimensions that are kept, or not: what two loops of each kind go over


@dataclass(frozen=True)
class Normalize(Clamped):
    """y = clamp((x - mean) / sqrt(mean of (x - mean)^2 + epsilon) * scale + bias), means taken along `axes`.

    Scale and bias are constants that broadcast to x. Where `groups` is not 1, the indices of `group_axis`, one of the
    axes, are so many parts that are normalized by themselves. Not `centered`: without the mean. Sums are exact, the
    root is within 2^-29 of itself, and one rounding follows: largest error half a step and 2^-shift more, with `shift`
    that of `scale_and_bias`.
    """

    axes: tuple[int, ...]
    epsilon: float
    centered: bool = True
    group_axis: int = 0
    groups: int = 1

    dtypes = frozenset({*MIXED, "float32"})

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, scale, bias = inputs
        rank = len(x.shape)
        if scale.shape != bias.shape or len(scale.shape) != rank:
            raise ModelError(f"scale {list(scale.shape)} and bias {list(bias.shape)} do not fit {list(x.shape)}")
        if any(n not in (1, m) for n, m in zip(scale.shape, x.shape, strict=True)):
            raise ModelError(f"scale {list(scale.shape)} and bias {list(bias.shape)} do not fit {list(x.shape)}")
        if x.shape[self.group_axis] % self.groups:
            raise ModelError(f"{x.shape[self.group_axis]} channels are not divisible by {self.groups} groups")
        parts, axes = self.split(x.shape)
        if len(_runs([axis in axes for axis, size in enumerate(parts) if size != 1])) > MOST_RUNS:
            raise ModelError(
                f"axes {list(self.axes)} of {list(x.shape)} lie in more than two places; transpose it before"
            )
        return x.shape

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        axes = tuple(sorted(perm[axis] for axis in self.axes))
        other = replace(self, axes=axes, group_axis=perm[self.group_axis])
        parts, split_axes = other.split((2 * self.groups,) * len(perm))
        is_fit = len(_runs([axis in split_axes for axis in range(len(parts))])) <= MOST_RUNS
        return other if is_fit else None

    def split(self, shape: Shape) -> tuple[Shape, tuple[int, ...]]:
        """`shape` with the groups as a dimension of their own, and the axes in it."""
        axis, groups = self.group_axis, self.groups
        parts = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
        return parts, tuple(a if a < axis else a + 1 for a in self.axes)

    def count(self, layer: Layer) -> int:
        """How many elements have one mean."""
        return prod(layer.output.shape[axis] for axis in self.axes) // self.groups

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        same = axis not in self.axes and all(t.shape[axis] == 1 for t in layer.inputs[1:])
        return (axis, OWN_ROW) if same else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, scale, bias = layer.inputs
        parts, axes = self.split(x.shape)
        y = x.name
        if self.groups != 1:
            y = writer.node("Reshape", [y, writer.constant(np.array(parts, np.int64))])
        else:
            axes = self.axes
        if self.centered:
            y = writer.node("Sub", [y, writer.node("ReduceMean", [y], axes=list(axes), keepdims=1)])
        variance = writer.node("ReduceMean", [writer.node("Mul", [y, y])], axes=list(axes), keepdims=1)
        sum_ = writer.node("Add", [variance, writer.constant(np.array(self.epsilon, np.float32))])
        y = writer.node("Div", [y, writer.node("Sqrt", [sum_])])
        if self.groups != 1:
            y = writer.node("Reshape", [y, writer.constant(np.array(x.shape, np.int64))])
        y = writer.node("Mul", [y, writer.constant(scale.values)])
        y = writer.node("Add", [y, writer.constant(bias.values)])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def guard(self, layer: Layer) -> int:
        """Bits before the point of what is normalized, which is at most the root of `count`."""
        return guard_bits(self.count(layer))

    def epsilon_bits(self, layer: Layer) -> EpsilonBits:
        """Raises QuantizationError for more elements than 32 bits hold the deviations of."""
        x, count = layer.inputs[0], self.count(layer)
        low, high = x.quantization.bounds
        codes = high - low + 1
        if count * codes > MAX_SPAN:
            raise QuantizationError(
                f"{layer.where}: normalizes {count} elements at once, more than the {MAX_SPAN // codes} that {x.dtype} "
                "supports; use " + ("int8 or " if x.dtype == "int16" else "") + "float32 for it"
            )
        # The variance of codes is at most a quarter of their span's square; without the mean, the square itself.
        largest = count * count * (codes * codes // 4 if self.centered or x.dtype == "int16" else codes * codes)
        return epsilon_bits(self.epsilon / x.scale**2, count, largest, layer.where)

    def scale_and_bias(self, layer: Layer, scale: Array, bias: Array) -> ScaleAndBias:
        """Integers for scale and bias, of any one shape."""
        y = layer.output
        factors, biases = (v.astype(np.float64) / y.scale for v in (scale, bias))
        return scale_and_bias(factors, biases, self.guard(layer), y.zero_point, layer.where)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_normalize_float32(self, layer, inputs[0])
        (x, scale, bias), y = layer.inputs, layer.output
        parts, axes = self.split(x.shape)
        along = tuple(axis + 1 for axis in axes)
        values = inputs[0].reshape(len(inputs[0]), *parts).astype(np.int64)
        count, point = self.count(layer), x.zero_point
        total = values.sum(axis=along, keepdims=True)
        squares = (values * values).sum(axis=along, keepdims=True)
        if self.centered:
            variance = count * squares - total * total
        else:
            variance = count * (squares - 2 * point * total + count * point * point)
            total = np.full_like(total, count * point)
        epsilon = self.epsilon_bits(layer)
        by = normalizer_of(count, total, variance, epsilon.value, epsilon.precision, self.guard(layer))
        z = normalized(values, by).reshape(inputs[0].shape)
        last = self.scale_and_bias(layer, scale.values, bias.values)
        q = (multiply_high(z, last.multiplier) + last.offset) >> last.shift
        return np.asarray(np.clip(q, *self.output_bounds(y)), y.dtype)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return (0,)


def simulate_normalize_float32(op: Normalize, layer: Layer, x: Array) -> Array:
    """d = x - sum of x * (1 / count), d * (1 / sqrt(sum of d^2 * (1 / count) + epsilon)) * scale + bias, sums one after
    the other from 0."""
    _, scale, bias = layer.inputs
    parts, axes = op.split(layer.output.shape)
    kept = [axis for axis in range(len(parts)) if axis not in axes]
    order = (0, *(axis + 1 for axis in (*kept, *axes)))
    turned = x.reshape(len(x), *parts).transpose(order)
    values = turned.reshape(*turned.shape[: 1 + len(kept)], -1)
    inverse_count = np.float32(1 / op.count(layer))
    with np.errstate(all="ignore"):
        if op.centered:
            values = values - (_summed(values) * inverse_count)[..., None]
        variance = _summed(values * values) * inverse_count + np.float32(op.epsilon)
        values = values * (ONE / square_root(variance))[..., None]
        back = values.reshape(turned.shape).transpose(np.argsort(order)).reshape(x.shape)
        y = back * scale.values + bias.values
    return clamp_float(y, op.minimum, op.maximum)


def _runs(kinds: Sequence[bool]) -> list[bool]:
    """Without repetitions of neighbours."""
    return [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]


def _summed(values: Array) -> Array:
    total: Array = np.zeros_like(values[..., 0])
    for i in range(values.shape[-1]):
        total = total + values[..., i]
    return total
