"""Sums of sizes or of squares, and roots of those, in integers: what norms over dimensions and over windows share."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.arithmetic.int16 import LONG_MAX
from mcuq.arithmetic.reduce import integer_root
from mcuq.errors import QuantizationError
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
    def sum_bound(self) -> int:
        """Largest sum. Raises QuantizationError for more than kernels add up."""
        x = self.layer.inputs[0]
        largest = largest_difference(x)
        each = largest * largest if self.power == 2 else largest
        if each * self.count > LONG_MAX:
            raise QuantizationError(
                f"{self.layer.where}: adds up {self.count} values, more than the {LONG_MAX // each} that {x.dtype} "
                "supports; use int8 or float32 for it"
            )
        return each * self.count

    @property
    def root_bits(self) -> int:
        """Fraction bits of the root: as many as the room behind the largest sum gives, in pairs."""
        return min(MOST_ROOT_BITS, (ROOT_ROOM - self.sum_bound.bit_length()) // 2)

    @property
    def bound(self) -> int:
        """The largest magnitude of what is requantized: the sum, or its root with fraction bits."""
        total = self.sum_bound
        return isqrt(total << (2 * self.root_bits)) if self.has_root else total

    @property
    def requantization(self) -> Requantization:
        """One factor: a step of x, or its square, over the output's."""
        step = self.layer.inputs[0].scale
        factor = step / 2**self.root_bits if self.has_root else step**self.power
        return requantization([factor / self.layer.output.scale], self.bound, self.layer.where)

    def finished(self, op: Clamped, acc: Array) -> Array:
        """The output of int64 sums."""
        if self.has_root:
            acc = integer_root(acc << (2 * self.root_bits))
        return requantize_output(op, acc, self.requantization, self.bound, self.layer.output)
