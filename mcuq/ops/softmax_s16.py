"""Softmax of int16 along the last dimension, in integers."""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.int8 import multiply_high
from mcuq.arithmetic.int16 import exponential_of_tables
from mcuq.errors import QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array

MOST_CLASSES = 2**17
GREATEST = 32767  # stands for 1 as well


def exponential_tables(scale: float) -> tuple[Array, Array]:
    """(coarse, fine), int32 (256) each, of `exponential_of_tables`: exp(-scale * 256 * i) and exp(-scale * i), with 30
    fraction bits."""
    i = np.arange(256.0)
    coarse, fine = (np.rint(np.exp(-scale * step * i) * 2.0**30).astype(np.int32) for step in (256.0, 1.0))
    return coarse, fine


def distances(x: Array, keep: Array | None = None) -> Array:
    """int64: the largest along the last dimension less each; of those to `keep`, and 0 for all others."""
    if keep is None:
        distance: Array = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        return distance
    largest = np.where(keep, x, np.iinfo(x.dtype).min).max(axis=-1, keepdims=True).astype(np.int64)
    return np.where(keep, largest - x, 0)


def exponentials_s16(x: Array, layer: Layer, keep: Array | None = None) -> tuple[Array, Array, Array]:
    """(largest - x, their exponentials with 28 fraction bits, the sum of those along the last dimension), int64; 0 for
    what not to `keep`.

    Raises QuantizationError for more classes than totals of 46 bits hold.
    """
    if layer.output.shape[-1] > MOST_CLASSES:
        raise QuantizationError(
            f"{layer.where}: is over {layer.output.shape[-1]} classes, more than the {MOST_CLASSES} that int16 "
            "supports; use int8 activations for it"
        )
    distance = distances(x, keep)
    terms = exponential_of_tables(distance, *exponential_tables(layer.inputs[0].scale)).astype(np.int64)
    if keep is not None:
        terms = np.where(keep, terms, 0)
    return distance, terms, terms.sum(axis=-1, keepdims=True)


def normalized(total: Array) -> tuple[Array, Array]:
    """(n, m), int64, for totals of n bits: total * 2^(31-n), rounded down, which has 31 bits."""
    # frexp: total = fraction * 2^exponent, 0.5 <= fraction < 1, exact below 2^53.
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)
    return bits, np.where(bits < 31, total << np.maximum(31 - bits, 0), total >> np.maximum(bits - 31, 0))


def softmax_s16(x: Array, layer: Layer, keep: Array | None = None) -> Array:
    """term / total by a reciprocal of the total.

    With n the bits of total, m = total * 2^(31-n) has 31 bits and r = (2^61 - 1) / m, rounded down, 31 bits as well.
    term / total * 2^15 = term * r / 2^(15+n), which is rounded once. Terms are within 1.3 of 2^28 units, r and m
    within 2^-30 of themselves: for 4096 classes the quotient is off by 0.7 steps of 2^-15 at most, all but 0.01 of it
    where every class adds 1.3 units to the total.
    """
    _, terms, total = exponentials_s16(x, layer, keep)
    bits, mantissa = normalized(total)
    reciprocal = ((1 << 61) - 1) // mantissa
    # The rounding of the upper word nests in that of the shift.
    high = multiply_high(4 * terms, reciprocal).astype(np.int64)
    shift = bits - 15
    return np.asarray(np.minimum((high + (1 << (shift - 1))) >> shift, GREATEST), np.int16)
