"""The functions of one value inside recurrent operators: floats by an expression, 16 bits by straight lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, log2

import numpy as np

from mcuq.arithmetic.expression import Expression, X, call, clamp, evaluate, substituted
from mcuq.arithmetic.recurrent import curve
from mcuq.graph.tensor import Array
from mcuq.ops.clip import Clip
from mcuq.ops.elu import Elu
from mcuq.ops.hard_sigmoid import HardSigmoid
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softplus import Softplus
from mcuq.ops.softsign import Softsign
from mcuq.ops.tanh import Tanh
from mcuq.ops.thresholded_relu import ThresholdedRelu

# Of what no calibration has looked at.
UNKNOWN_EXPONENT = 4
# Beyond what calibration saw: as that of other tensors of 16 bits.
ROOM = 2.0
LEAST_EXPONENT, GREATEST_EXPONENT = -8, 14

# ONNX's name -> (parameters that it has, its expression of them).
FUNCTIONS: Mapping[str, tuple[int, Callable[[float, float], Expression]]] = {
    "Affine": (2, lambda alpha, beta: X * alpha + beta),
    "Elu": (1, lambda alpha, beta: Elu(alpha).expression),
    "HardSigmoid": (2, lambda alpha, beta: HardSigmoid(alpha, beta).expression),
    "LeakyRelu": (1, lambda alpha, beta: LeakyRelu(alpha).expression),
    "Relu": (0, lambda alpha, beta: Clip(0.0).expression),
    "ScaledTanh": (2, lambda alpha, beta: call("hyperbolic_tangent", X * beta) * alpha),
    "Sigmoid": (0, lambda alpha, beta: Sigmoid().expression),
    "Softplus": (0, lambda alpha, beta: Softplus().expression),
    "Softsign": (0, lambda alpha, beta: Softsign().expression),
    "Tanh": (0, lambda alpha, beta: Tanh().expression),
    "ThresholdedRelu": (1, lambda alpha, beta: ThresholdedRelu(alpha).expression),
}
# Parameters that may be left out. Of the others runtimes and ONNX's text have different ones.
DEFAULTS: Mapping[str, tuple[float, ...]] = {"Elu": (1.0,), "HardSigmoid": (0.2, 0.5), "LeakyRelu": (0.01,)}


@dataclass(frozen=True)
class Activation:
    """A function by ONNX's name of it, of what is limited to [-clip, clip] before; `alpha` and `beta` where it has
    such."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0
    clip: float = inf

    @property
    def parameters(self) -> tuple[float, ...]:
        """Those that it has."""
        return (self.alpha, self.beta)[: FUNCTIONS[self.name][0]]

    @property
    def expression(self) -> Expression:
        """The function of X."""
        found = FUNCTIONS[self.name][1](self.alpha, self.beta)
        return found if self.clip == inf else substituted(found, clamp(X, -self.clip, self.clip))

    def of(self, x: Array) -> Array:
        """The function in the precision of `x`, float32 or float64."""
        return evaluate(self.expression, x)

    @property
    def is_share(self) -> bool:
        """Whether all that it gives lies from 0 to 1."""
        y = self.of(_POINTS)
        return bool(y.min() >= 0 and y.max() <= 1 + 1e-6)

    def output_exponent(self) -> int | None:
        """e where all that it gives lies within 2^e; None where there is no such bound."""
        near, far = (float(np.abs(self.of(_POINTS[np.abs(_POINTS) <= reach])).max()) for reach in (2.0**8, 2.0**16))
        # What is 1 but for rounding is 1.
        return exponent_of(far * (1 - 1e-6)) if far <= 1.01 * near else None

    def input_exponent(self, output: int) -> int | None:
        """e where it is one value from 2^e on, and one below -2^e, but for two steps of 2^(output - 15)."""
        step = 2.0 ** (output - 15)
        for exponent in range(9):
            ends = self.of(np.array([-1.0, 1.0]) * 2.0**exponent)
            sides = (self.of(_POINTS[-(2.0**exponent) >= _POINTS]), self.of(_POINTS[2.0**exponent <= _POINTS]))
            if all(np.abs(side - end).max() <= 2 * step for side, end in zip(sides, ends, strict=True)):
                return exponent
        return None


_POINTS = np.concatenate([sign * 2.0 ** np.linspace(-8, 16, 24 * 16 + 1) for sign in (-1, 1)])


def exponent_of(magnitude: float) -> int:
    """The least e, within limits, with magnitude <= 2^e."""
    return min(max(ceil(log2(max(magnitude, 1e-30))), LEAST_EXPONENT), GREATEST_EXPONENT)


def scale_of(exponent: int) -> float:
    """The step of 16 bits that reach to 2^exponent."""
    return float(2.0 ** (exponent - 15))


@dataclass(frozen=True, eq=False)
class Curve:
    """The table of `curve`, int16, and its shift."""

    values: Array
    shift: int

    def of(self, x: Array) -> Array:
        """int32 of int16 codes."""
        return curve(x, self.values, self.shift)


# Steps that lines may be off, if half of what rounding x costs at most is not more.
LARGEST_ERROR = 1.6
LEAST_SHIFT, MOST_SHIFT = 4, 8


@lru_cache(maxsize=32)
def curve_of(activation: Activation, x_exponent: int, y_exponent: int) -> Curve:
    """The function between 16 bits of these exponents, with the longest lines that are near enough; where a function
    jumps, those of 16 codes."""
    x = np.arange(-32768.0, 32769.0) * scale_of(x_exponent)
    exact = np.clip(activation.of(x) / scale_of(y_exponent), -32768, 32767)
    allowed = max(LARGEST_ERROR, float(np.abs(np.diff(exact)).max()) / 4)
    codes = np.arange(-32768, 32768)
    for shift in range(MOST_SHIFT, LEAST_SHIFT - 1, -1):
        found = Curve(np.rint(exact[:: 1 << shift]).astype(np.int16), shift)
        if shift == LEAST_SHIFT or np.abs(found.of(codes) - exact[:-1]).max() <= allowed:
            break
    found.values.flags.writeable = False
    return found
