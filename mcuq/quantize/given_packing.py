"""Weights that came as integers of few bits lie in flash as those, or as near as their blocks can be had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.arithmetic.packing import BLOCK, CODES, LARGEST_STEP, STEP_BITS, fits, packed_words
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.packed_weights import INT8_MAX

BLOCKS = "blocks"
# Of packings whose values are fixed, the smallest first.
_FIXED = ("binary", "ternary", "int2", "int4")
# Differences of two numbers of 4 bits: weights less their zero points. Of other integers a channel may have 16 by
# chance, as where most are 0, which would then take longer to read.
_LARGEST_DIFFERENCE = 15
# As near to an integer as float32 has products of one: of up to 15, and what passes multiply it by.
_TOLERANCE = 1e-4
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


def block_integers(real: Array) -> tuple[Array, Array] | None:
    """int8 integers (channels, taps) of one scale a channel, and these scales (channels,), for weights (channels, taps)
    that have 4 bits and a scale in each block of a channel; None for others.

    A block's scale becomes a 16th of the channel's times an integer: beside rounding to integers, an error of 1/32 of
    that scale at most for each of a weight's own steps.
    """
    if real.shape[1] < BLOCK or (real.shape[1] % BLOCK and real.shape[1] > BLOCK * LARGEST_STEP):
        return None
    padded = np.pad(real, ((0, 0), (0, -real.shape[1] % BLOCK)))
    blocks = padded.reshape(len(real), -1, BLOCK)
    largest = np.abs(blocks).max(axis=2, keepdims=True)
    own = _own_integers(blocks, largest)
    if own is None:
        return None
    most = np.abs(own).max(axis=2, keepdims=True)
    step = np.divide(largest, most, out=np.zeros_like(largest), where=most > 0)
    each = np.maximum(largest / INT8_MAX, step * (1 << STEP_BITS) / LARGEST_STEP)
    scale = np.maximum(each.max(axis=1, keepdims=True), float(np.finfo(np.float32).tiny))
    steps = np.clip(np.rint(step / scale * (1 << STEP_BITS)), 1, LARGEST_STEP)
    half = 1 << STEP_BITS >> 1
    steps -= (most * steps + half).astype(np.int64) >> STEP_BITS > INT8_MAX
    q = (own * steps + half).astype(np.int64) >> STEP_BITS
    return q.reshape(len(real), -1)[:, : real.shape[1]].astype(np.float64), scale.reshape(-1)


def _own_integers(blocks: Array, largest: Array) -> Array | None:
    """Integers of 4 bits about a zero of 4 bits that express each block in a scale of its own, float64 of the same
    shape; None where one has no such scale. They are as large as 4 bits hold, so that their scales are fine."""
    found = np.full(blocks.shape, np.nan)
    for most in range(1, CODES):
        u = np.divide(blocks * most, largest, out=np.zeros_like(blocks), where=largest > 0)
        q = np.rint(u)
        spread = np.maximum(q.max(axis=2), 0) - np.minimum(q.min(axis=2), 0)
        fit = (np.abs(u - q).max(axis=2) < _TOLERANCE) & (spread < CODES) & np.isnan(found[..., 0])
        found[fit] = (q * np.maximum(1, (CODES - 1) // np.maximum(spread, 1))[..., None])[fit]
    return None if np.isnan(found).any() else found
