"""Weights that came as integers of few bits lie in flash as those."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.arithmetic.packing import CODES, fits, packed_words
from mcuq.graph.tensor import Array, Tensor

# Of packings whose values are fixed, the smallest first.
_FIXED = ("binary", "ternary", "int2", "int4")
# Differences of two numbers of 4 bits: weights less their zero points. Of other integers a channel may have 16 by
# chance, as where most are 0, which would then take longer to read.
_LARGEST_DIFFERENCE = 15
# What a layer has to save: less than that goes into the C that unpacks it.
LEAST_SAVED_BYTES = 64


def with_least_bits(constants: tuple[Tensor, ...], are_codes: bool = False) -> tuple[Tensor, ...]:
    """(x, weight, bias) with the packing that has a code for each of the integers of `weight`, whose first dimension
    are channels, in the fewest bits; as they are where none saves flash.

    Integers of 4 bits and zero points of each channel have a codebook a channel, and so have what rounding left of
    other codes of few bits, if `are_codes`.
    """
    x, weight, bias = constants
    rows = weight.values.reshape(len(weight.values), -1)
    for packing in _FIXED:
        if fits(rows, packing) and _saves(rows, packed_words(rows.size, packing)):
            return x, replace(weight, packing=packing), bias
    words = _codebook_words(rows, are_codes)
    if words is not None and _saves(rows, words):
        return x, replace(weight, packing="codebook"), bias
    return constants


def _saves(rows: Array, words: int) -> bool:
    return rows.size - 4 * words >= LEAST_SAVED_BYTES


def _codebook_words(rows: Array, are_codes: bool) -> int | None:
    """Words of one codebook for all rows, or of one for each; None where there are too many different integers."""
    if np.unique(rows).size <= CODES:
        return packed_words(rows.size, "codebook")
    are_codes = are_codes or np.abs(rows.astype(int)).max() <= _LARGEST_DIFFERENCE
    if are_codes and all(fits(row, "codebook") for row in rows):
        return len(rows) * packed_words(rows.shape[1], "codebook")
    return None
