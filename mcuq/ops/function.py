"""Functions of one value that are expressions: tables of integers, float32 in NumPy and its C come from one line."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from math import inf
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression, evaluate
from mcuq.arithmetic.float32 import one_nan
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.ops.unary import Unary

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Example:
    """A function for tests, and the range of inputs in which it is worth looking at."""

    op: Function
    low: float
    high: float


@dataclass(frozen=True)
class Function(Unary):
    """A Unary whose fields are the attributes of the ONNX operator of its name. In integers its error is that of Unary.

    `units` is the largest error in float32 of the layer's C, in units in the last place of the exact result; results
    smaller than `least` count as that.
    """

    units: ClassVar[float] = 0.5
    least: ClassVar[float] = 2.0**-126
    # Least and greatest x that have a value; tables have that of the nearer end for codes beyond.
    domain: ClassVar[tuple[float, float]] = (-inf, inf)

    @property
    @abstractmethod
    def expression(self) -> Expression:
        """The function of X."""

    @classmethod
    @abstractmethod
    def examples(cls) -> tuple[Example, ...]:
        """What tests try."""

    def function(self, x: Array) -> Array:
        """Of what lies beyond the domain, or float32, that of its end."""
        low, high = self.domain
        within = np.clip(np.asarray(x, np.float64), max(low, -_LARGEST), min(high, _LARGEST))
        return evaluate(self.expression, within)

    def float_function(self, x: Array) -> Array:
        """What the C computes: NaN and infinity where IEEE 754 has them."""
        expression = self.expression
        return x if expression.op == "x" else one_nan(evaluate(expression, x))

    def stated_units(self, x: Array) -> Array:
        """The largest error of float32 for each x; `units` unless it grows."""
        return np.full(np.shape(x), self.units)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        attributes = {f.name: getattr(self, f.name) for f in fields(self)}
        return writer.node(type(self).__name__, [x], output, **attributes)
