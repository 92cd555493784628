"""Sums of sizes, of squares or of other powers, and roots of those: what norms over dimensions and windows share."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from mcuq.arithmetic.functions import power as power_float32
from mcuq.arithmetic.functions import square_root
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.arithmetic.int16 import LONG_MAX
from mcuq.arithmetic.reduce import integer_power_root, integer_root
from mcuq.errors import QuantizationError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.requantized import largest_difference, requantize_output

MOST_ROOT_BITS = 16  # fraction bits of a root that is requantized
ROOT_ROOM = 62  # bits of what a root is taken of


@dataclass(frozen=True)
class PowerSum:
    """The sum of `count` values of |x - x_zero_point|^power in `layer`, or its root with `root_bits` fraction bits."""

    layer: Layer
    power: int
    has_root: bool
    count: int

    @property
    def _room(self) -> int:
        """Bits of what a root is taken of: of higher powers so many that no candidate's power has more than 64."""
        return ROOT_ROOM if self.power <= 2 else min(ROOT_ROOM, self.power * (64 // self.power))

    @property
    def sum_bound(self) -> int:
        """Largest sum. Raises QuantizationError for more than kernels add up."""
        x = self.layer.inputs[0]
        each: int = largest_difference(x) ** self.power
        most = LONG_MAX if self.power <= 2 else (1 << self._room) - 1
        if each * self.count > most:
            powers = f"powers p={self.power} of " if self.power > 2 else ""
            instead = "float32" if x.dtype == "int8" else "int8 or float32"
            raise QuantizationError(
                f"{self.layer.where}: adds up {powers}{self.count} values, more than the {most // each} that {x.dtype} "
                f"supports; use {instead} for it"
            )
        return each * self.count

    @property
    def root_bits(self) -> int:
        """Fraction bits of the root: as many as the room behind the largest sum gives, `power` at a time."""
        return min(MOST_ROOT_BITS, (self._room - self.sum_bound.bit_length()) // self.power)

    @property
    def bound(self) -> int:
        """The largest magnitude of what is requantized: the sum, or its root with fraction bits."""
        total = self.sum_bound
        if not self.has_root:
            return total
        total <<= self.power * self.root_bits
        return isqrt(total) if self.power == 2 else int(integer_power_root(np.array([total]), self.power).item())

    @property
    def requantization(self) -> Requantization:
        """One factor: a step of x, or its square, over the output's."""
        step = self.layer.inputs[0].scale
        factor = step / 2**self.root_bits if self.has_root else step**self.power
        return requantization([factor / self.layer.output.scale], self.bound, self.layer.where)

    def finished(self, op: Clamped, acc: Array) -> Array:
        """The output of int64 sums."""
        if self.has_root:
            acc = acc << (self.power * self.root_bits)
            acc = integer_root(acc) if self.power == 2 else integer_power_root(acc, self.power)
        return requantize_output(op, acc, self.requantization, self.bound, self.layer.output)


def power_of_size(x: Array, power: int) -> Array:
    """|x|^power, by one multiplication after the other."""
    if power == 2:
        return x * x
    size = np.abs(x)
    found = size
    for _ in range(power - 1):
        found = found * size
    return found


def root_float32(x: Array, power: int) -> Array:
    """The root of float32 sums of powers."""
    return square_root(x) if power == 2 else power_float32(x, np.array(1 / power, np.float32))


def write_power(writer: OnnxWriter, x: str, power: int) -> str:
    """|x|^power in ONNX."""
    if power == 2:
        return writer.node("Mul", [x, x])
    size = writer.node("Abs", [x])
    return size if power == 1 else writer.node("Pow", [size, writer.constant(np.array(power, np.float32))])


def write_root(writer: OnnxWriter, x: str, power: int) -> str:
    """The root of a sum of powers in ONNX."""
    if power == 2:
        return writer.node("Sqrt", [x])
    return x if power == 1 else writer.node("Pow", [x, writer.constant(np.array(1 / power, np.float32))])
