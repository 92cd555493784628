"""Scores in 2^-15 of a network's outputs, in integers: NumPy twin of firmware/kernels/mcuq_after.h and what calls it.

A function here and its namesake there (with the prefix `mcuq_`) give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mcuq.arithmetic.powers import binary_logarithm, binary_power
from mcuq.graph.tensor import Tensor

Integers = NDArray[np.int64]
Kind = Literal["softmax", "sigmoid", "probabilities"]
KINDS: tuple[Kind, ...] = ("softmax", "sigmoid", "probabilities")
ONE = 1 << 15
# A factor has so many bits at most that its product with a code, of 17 with its sign, fits into 64.
MOST_FACTOR = (1 << 45) - 1


def power_below(d: Integers) -> Integers:
    """2^-(d / 2^24) in 2^-29, rounded, for d of 0 or more."""
    n = (np.minimum(d, 32 << 24) + 0xFFFFFF) >> 24
    rest = np.where(d > 31 << 24, 0, (n << 24) - d)
    value = binary_power((1 << 31) | (rest << 7)).astype(np.int64)
    found = np.where(n > 0, (value + (np.int64(1) << np.maximum(n - 1, 0))) >> n, value)
    return np.where(d > 31 << 24, 0, found)


def logarithm_of(value: Integers) -> Integers:
    """log2 of values, 1 to 65535, in 2^-24."""
    exponent = np.frexp(value.astype(np.float64))[1].astype(np.int64) - 1
    return (exponent << 24) + binary_logarithm(value << (31 - exponent)).astype(np.int64)


def share(part: Integers, whole: Integers) -> Integers:
    """part / whole in 2^-15, rounded, halves up; 0 of nothing."""
    return np.where(whole > 0, ((part << 15) + whole // 2) // np.maximum(whole, 1), 0)


def logistic(x: Integers) -> Integers:
    """1 / (1 + 2^-(x / 2^24)) in 2^-15."""
    power, one = power_below(np.abs(x)), np.int64(1 << 29)
    return share(np.where(x < 0, power, one), one + power)


@dataclass(frozen=True)
class Scores:
    """Codes of an output to scores from 0 to ONE.

    Outputs are logits, of which `softmax` or `sigmoid` makes probabilities, or `probabilities` already; a temperature
    divides logits, or those whose softmax such probabilities are (`is_tempered`). `factor` is what a code is, in
    2^-40, in log2 or as a probability, or 1 / temperature in 2^-16 where that is of probabilities. The largest error
    against real numbers is 2^-15.
    """

    kind: Kind
    zero_point: int
    factor: int
    is_tempered: bool

    @property
    def is_shared(self) -> bool:
        """Whether a score depends on the other ones."""
        return self.kind == "softmax" or self.is_tempered

    def distances(self, q: Integers, top: Integers) -> Integers:
        """How far codes are below the largest, in log2 in 2^-24; far below all where a probability is none."""
        if self.kind == "softmax":
            return ((top - q) * self.factor) >> 16
        own, most = (logarithm_of(np.maximum(x - self.zero_point, 1)) for x in (q, top))
        return np.where(q > self.zero_point, ((most - own) * self.factor) >> 16, 64 << 24)

    def of(self, codes: NDArray[np.generic]) -> Integers:
        """(..., classes), of codes of the same shape."""
        q = codes.astype(np.int64)
        if self.is_shared:
            weights = power_below(self.distances(q, q.max(-1, keepdims=True)))
            return share(weights, weights.sum(-1, keepdims=True))
        if self.kind == "sigmoid":
            return logistic(((q - self.zero_point) * self.factor) >> 16)
        return (((q - self.zero_point) * self.factor + (1 << 24)) >> 25).clip(0, ONE)


def scores_of(kind: Kind, tensor: Tensor, temperature: float = 1.0) -> Scores:
    """For a quantized output."""
    scale, zero_point = tensor.scale, tensor.zero_point
    if kind != "probabilities":
        return Scores(kind, zero_point, _factor(scale * log2(np.e) / temperature * 2.0**40), False)
    if temperature != 1:
        return Scores(kind, zero_point, _factor(2.0**16 / temperature), True)
    return Scores(kind, zero_point, _factor(scale * 2.0**40), False)


def _factor(value: float) -> int:
    return int(min(np.floor(value + 0.5), MOST_FACTOR))


def least_code(scores: Scores, dtype: str, threshold: int) -> int:
    """The least code whose score reaches the threshold, one above all where none does; scores of their own."""
    info = np.iinfo(dtype)
    return int(info.min + np.searchsorted(scores.of(np.arange(info.min, info.max + 1)), threshold))


def farthest(scores: Scores, threshold: int) -> int:
    """How far below the largest code one of a softmax may be that reaches the threshold, 1 or more. With the weight w
    of such a code and 2^29 of the largest all weigh w + 2^29 or more, and w 2^15 + all / 2 is threshold all or more."""
    weights = power_below((np.arange(1 << 16, dtype=np.int64) * scores.factor) >> 16)
    able = (weights << 16) >= (2 * threshold - 1) * (weights + (1 << 29)) - 2
    return int(np.flatnonzero(able).max(initial=0))
