"""Pow: a constant power."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np

from mcuq.arithmetic.expression import Expression, X, call, clamp, logarithm, where
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.function import Example, Function


def single_power(node: OnnxNode) -> Pow:
    """Of a node whose exponent is one constant."""
    exponent = node.real("exponent", 1, 1.0)
    if len(node.shape(1)) > len(node.shape(0)):
        raise node.error(f"the exponent has {len(node.shape(1))} dimensions, x {len(node.shape(0))}; give one number")
    if abs(exponent) == inf:
        raise node.error(f"exponent={exponent:g} is not supported; it must be finite")
    return Pow(exponent)


def _power(x: Expression, exponent: int) -> Expression:
    """By squaring: x^6 = (x^2) * (x^2)^2."""
    found = None
    while True:
        if exponent & 1:
            found = x if found is None else found * x
        exponent >>= 1
        if not exponent:
            assert found is not None
            return found
        x = x * x


@dataclass(frozen=True)
class Pow(Function):
    """x^exponent, by multiplications where twice the exponent is a whole number up to 64.

    Others are exp(exponent * ln |x|). In float32 it is NaN for negative x where the exponent is no whole number, and
    infinite at 0 where it is negative; tables take negative x for 0 and 0 for positive then.
    """

    exponent: float = 2.0

    units = 1.0

    @property
    def expression(self) -> Expression:
        size = abs(self.exponent)
        if size == 0:
            return clamp(X, 1, 1)
        if size <= 64 and size == int(size):
            y = _power(X, int(size))
        elif 2 * size <= 64 and 2 * size == int(2 * size):
            y = _power(call("square_root", X), int(2 * size))
        else:
            return self._by_logarithm()
        return call("reciprocal", y) if self.exponent < 0 else y

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(3.0), -2, 3),
            Example(cls(0.5), 0, 9),
            Example(cls(-1.5), 0.25, 4),
            Example(cls(1.7), 0, 5),
            Example(cls(-2.0), 0.5, 3),
            Example(cls(-0.3), 0.01, 3),
            Example(cls(0.0), -1, 1),
            Example(cls(1.0), -1, 2),
        )

    @property
    def is_homogeneous(self) -> bool:
        return self.exponent == 1

    @property
    def _is_whole(self) -> bool:
        return self.exponent == int(self.exponent)

    @property
    def domain(self) -> tuple[float, float]:  # type: ignore[override]
        return (-inf if self._is_whole else 0.0), inf

    def _by_logarithm(self) -> Expression:
        y = call("exponential", logarithm(abs(X)) * self.exponent)
        below = nan if not self._is_whole else (-y if self.exponent % 2 else y)
        return where(X < 0, below, y)

    def stated_units(self, x: Array) -> Array:
        """Each multiplication adds a unit to what it doubles; else what rounding takes from an exponent of exp."""
        by_products = 2 * self.exponent == int(2 * self.exponent) and abs(self.exponent) <= 64
        growth = 3 * abs(self.exponent) if by_products else 4 + 2 * np.abs(self.exponent * np.log(np.abs(x)))
        return self.units + growth * np.ones_like(x)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("Pow", [x, writer.constant(np.array(self.exponent, np.float32))], output)
