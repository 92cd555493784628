"""LRN: each value over a power of the squares of its neighbours along one dimension."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import floor, ldexp, log2, prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, exponential, logarithm
from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.arithmetic.normalize import inverse_power
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MIXED
from mcuq.ops.requantized import largest_difference

INTERVALS = 256  # of the power between 1 and 2; linear in between is within beta * (beta + 1) * 2^-19 of it
MOST_BETA = 10.0
LEAST_BIAS = 1e-30
MOST_FACTOR_BITS = 26  # all but 0 lie beyond the codes then
MOST_SHIFT = 60


def from_lrn(node: OnnxNode, graph: GraphBuilder) -> str:
    """Along the channels."""
    alpha, beta, bias = (
        float(node.attribute(name, default)) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    size = int(node.attribute("size"))
    if len(node.shape(0)) < 2 or size < 1:
        raise node.error(f"size={size} of an input of shape {list(node.shape(0))}; it must have channels and a size")
    if not 0 <= alpha < np.inf or not 0 <= beta <= MOST_BETA or not LEAST_BIAS <= bias < np.inf:
        raise node.error(
            f"alpha={alpha:g}, beta={beta:g}, bias={bias:g} are not supported; alpha must be 0 or more, beta from 0 to "
            f"{MOST_BETA:g}, bias positive",
            *("alpha", "beta", "bias"),
        )
    return graph.add(LRN(1, size, alpha, beta, bias), [node.computed(0)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Powers:
    """y = x * base^-beta in integers: base = bias + factor * squares, `bias` being bias_mantissa * 2^bias_shift.

    `powers` int32 (257) are those of 1 to 2 in 2^-30; `multiplier` and `shift` int32 are those of each power of two
    from 2^first on, times what steps of x are in steps of y.
    """

    bias_mantissa: int
    bias_shift: int
    factor: int
    first: int
    powers: Array
    multiplier: Array
    shift: Array


@dataclass(frozen=True)
class LRN(Clamped):
    """y = clamp(x / (bias + alpha / size * sum of x^2)^beta), summed over `size` neighbours along `axis`, the place in
    their middle, or before it. Sums are exact. Largest error half a step, and beta * (beta + 1) * 2^-19 + 2^-26 of
    y."""

    axis: int
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"LRN": from_lrn}
    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    passes_channels = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return replace(self, axis=perm[self.axis])

    def mixed_axes(self, rank: int) -> Collection[int]:
        return (self.axis,)

    @property
    def reach(self) -> tuple[int, int]:
        """How many neighbours before and behind each place are summed."""
        before = (self.size - 1) // 2
        return before, self.size - 1 - before

    def sizes(self, layer: Layer) -> tuple[int, int, int]:
        """Elements before the dimension, along it and behind."""
        shape = layer.output.shape
        return prod(shape[: self.axis]), shape[self.axis], prod(shape[self.axis + 1 :])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        # ONNX Runtime's LRN takes images and odd sizes only.
        outer, channels, inner = self.sizes(layer)
        before, after = self.reach
        x = writer.node(
            "Reshape", [layer.inputs[0].name, writer.constant(np.array([outer, 1, channels, inner], np.int64))]
        )
        ones = writer.constant(np.full((1, 1, self.size, 1), self.alpha / self.size, np.float32))
        squares = writer.node("Conv", [writer.node("Mul", [x, x]), ones], pads=(before, 0, after, 0))
        base = writer.node("Add", [squares, writer.constant(np.array(self.bias, np.float32))])
        power = writer.node("Pow", [base, writer.constant(np.array(self.beta, np.float32))])
        shape = writer.constant(np.array(layer.output.shape, np.int64))
        y = writer.node("Reshape", [writer.node("Div", [x, power]), shape])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def parameters(self, layer: Layer) -> Powers:
        """As fine as 62 bits of the base allow."""
        x, y = layer.inputs[0], layer.output
        squares = min(self.size, y.shape[self.axis]) * largest_difference(x) ** 2
        step = self.alpha / self.size * x.scale**2
        fits = (
            k
            for k in range(160, -160, -1)
            if ldexp(step, k) <= INT32_MAX and ldexp(self.bias, k) + (ldexp(step, k) + 1) * squares < 2.0**61
        )
        precision = next(fits)
        factor, bias = round(ldexp(step, precision)), max(1, round(ldexp(self.bias, precision)))
        bias_shift = max(0, bias.bit_length() - 31)
        bias = bias >> bias_shift << bias_shift
        first, last = bias.bit_length() - 1, (bias + factor * squares).bit_length() - 1
        multiplier, shift = [], []
        for exponent in range(first, last + 1):
            power = min(log2(x.scale / y.scale) - self.beta * (exponent - precision), MOST_FACTOR_BITS)
            bits = min(30 - floor(power), MOST_SHIFT + 2)
            multiplier.append(min(round(2.0 ** (power + bits)), INT32_MAX))
            shift.append(bits - 2)
        powers = (1 + np.arange(INTERVALS + 1) / INTERVALS) ** -self.beta
        return Powers(
            bias >> bias_shift,
            bias_shift,
            factor,
            first,
            np.rint(powers * 2.0**30).astype(np.int32),
            np.array(multiplier, np.int32),
            np.array(shift, np.int32),
        )

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y, rows = layer.output, inputs[0].reshape(len(inputs[0]), *self.sizes(layer))
        if y.quant is None:
            return simulate_lrn_float32(self, rows).reshape(inputs[0].shape)
        difference = rows.astype(np.int64) - layer.inputs[0].zero_point
        p = self.parameters(layer)
        base = (p.bias_mantissa << p.bias_shift) + p.factor * np.sum(self.neighbours(difference * difference), axis=0)
        factor, shift = inverse_power(base, p.first, p.powers, p.multiplier, p.shift)
        q = ((difference * factor + (np.int64(1) << (shift - 1))) >> shift) + y.zero_point
        return np.clip(q, *self.output_bounds(y)).reshape(inputs[0].shape).astype(y.dtype)

    def neighbours(self, squares: Array) -> list[Array]:
        """What lies at each distance from each place of (samples, outer, channels, inner), 0 beyond the ends."""
        before, after = self.reach
        channels = squares.shape[2]
        padded = np.pad(squares, [(0, 0), (0, 0), (before, after), (0, 0)])
        return [padded[:, :, i : i + channels] for i in range(self.size)]


def simulate_lrn_float32(op: LRN, rows: Array) -> Array:
    """0 + x * x of each neighbour, times alpha / size, plus the bias; x * exp(-beta * ln of that)."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        total = np.zeros_like(rows)
        for square in op.neighbours(rows * rows):
            total = total + square
        base = total * np.float32(op.alpha / op.size) + np.float32(op.bias)
        y = rows * exponential(logarithm(base) * np.float32(-op.beta))
    return clamp_float(y, op.minimum, op.maximum)
