"""Softmax of floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import ONE, exponential, one_nan
from mcuq.graph.operator import Call, Constants, Layer
from mcuq.graph.tensor import Array

if TYPE_CHECKING:
    from mcuq.ops.softmax import Softmax


@dataclass(frozen=True)
class SoftmaxFloatConstants(Constants):
    """Rows of `classes` values."""

    template = "softmax_float"
    computes_in_float = True

    rows: int
    classes: int


def lower_softmax_float(op: Softmax, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    classes = layer.output.shape[-1]
    return (Call(SoftmaxFloatConstants(layer.output.elements // classes, classes)),)


def exponentials_float(x: Array) -> tuple[Array, Array, Array]:
    """(x - largest, exp of it, the sum of those along the last dimension, one after the other).

    NaN is no largest value, and makes its row's sum NaN.
    """
    largest = np.fmax.reduce(x, axis=-1, keepdims=True, initial=np.float32(-np.inf))
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        distance = x - largest
        terms = exponential(distance)
        total = np.zeros_like(terms[..., 0])
        for i in range(terms.shape[-1]):
            total = total + terms[..., i]
    return distance, terms, total


def simulate_softmax_float(x: Array) -> Array:
    """e = exp(x - largest) for each, e * (1 / sum of e); a row with NaN is NaN throughout."""
    _, terms, total = exponentials_float(x)
    with np.errstate(invalid="ignore", under="ignore", divide="ignore"):
        return one_nan(terms * (ONE / total)[..., None])
