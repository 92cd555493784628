"""Weights, biases and multipliers in the order in which mcuq_dsp.h reads them."""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX, Requantization
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.weighted import accumulator_bound, layer_requantization

DSP = frozenset({"dsp"})
PIXELS = 4  # that kernels take at a time


def is_short(layer: Layer) -> bool:
    """Whether sums have 32 bits, and one high word and one shift requantize them: all but layers whose outputs are
    finer than the products of their inputs."""
    requant = layer_requantization(layer)
    return requant.shift >= 1 and requant.prescale == 0 and accumulator_bound(layer) <= INT32_MAX


def pair_words(layer: Layer) -> Array:
    """The layer's weights in the order of the input's pairs."""
    weight = layer.inputs[1].values
    return words_of(layer.inputs[0], weight.reshape(len(weight), -1))


def words_of(x: Tensor, weight: Array) -> Array:
    """int8 `weight` (outputs, inputs) in the order of the pairs of an input like `x`."""
    return (pack_neighbours if x.dtype == "int16" else pack_pairs)(weight)


def channel_words(layer: Layer) -> Array:
    """Its biases and multipliers, as `pack_channels` has them."""
    return pack_channels(layer.inputs[2].values, layer_requantization(layer), layer.output.zero_point)


def pack_pairs(weight: Array) -> Array:
    """int32 words of int8 `weight` (outputs, inputs) for mcuq_dsp_product_4 and _1.

    Inputs are padded with zeros to whole fours and outputs to whole twos; of each four inputs, 0 and 2 share a
    word, then 1 and 3.
    """
    outputs, inputs = weight.shape
    padded = np.zeros((-(-outputs // 2) * 2, -(-inputs // 4) * 4), np.int8)
    padded[:outputs, :inputs] = weight
    # (a or b, fours, low or high of the pair, even or odd) -> fours, even or odd, low or high, a or b
    pairs = padded.reshape(-1, 2, padded.shape[1] // 4, 2, 2).transpose(0, 2, 4, 3, 1)
    return pairs.reshape(-1).view("<i4").astype(np.int32)


def pack_neighbours(weight: Array) -> Array:
    """int32 words of int8 `weight` (outputs, inputs) for mcuq_dsp_product_s16_4 and _1.

    As `pack_pairs`, but of each four inputs, 0 and 1 share a word, then 2 and 3.
    """
    outputs, inputs = weight.shape
    padded = np.zeros((outputs, -(-inputs // 4) * 4), np.int8)
    padded[:, :inputs] = weight
    return pack_pairs(padded.reshape(outputs, -1, 4)[:, :, [0, 2, 1, 3]].reshape(padded.shape))


def pack_channels(bias: Array, requant: Requantization, zero_point: int) -> Array:
    """int32 [offset, shift, then for each two channels bias a, bias b, multiplier a, multiplier b], up to whole
    fours of channels."""
    channels = -(-bias.size // 4) * 4
    rows = np.zeros((2, channels), np.int32)
    rows[0, : bias.size], rows[1, : bias.size] = bias, requant.multiplier
    pairs = rows.reshape(2, -1, 2).transpose(1, 0, 2).reshape(-1)
    return np.concatenate([requantization_head(requant, zero_point), pairs])


def requantization_head(requant: Requantization, zero_point: int) -> Array:
    """int32 [offset, shift] of q = (high word of acc * multiplier + offset) >> shift."""
    return np.array([(zero_point << requant.shift) + (1 << requant.shift >> 1), requant.shift], np.int32)


def pack_fours(weight: Array) -> Array:
    """int8 (fours of channels, taps, 4) of `weight` (channels, taps); channels that are missing are 0."""
    channels, taps = weight.shape
    padded = np.zeros((-(-channels // 4) * 4, taps), np.int8)
    padded[:channels] = weight
    return np.ascontiguousarray(padded.reshape(-1, 4, taps).transpose(0, 2, 1))


def pack_channel_fours(bias: Array, requant: Requantization, zero_point: int) -> Array:
    """int32 [offset, shift, then for each four channels their biases and their multipliers]."""
    channels = -(-bias.size // 4) * 4
    rows = np.zeros((2, channels), np.int32)
    rows[0, : bias.size], rows[1, : bias.size] = bias, requant.multiplier
    fours = rows.reshape(2, -1, 4).transpose(1, 0, 2).reshape(-1)
    return np.concatenate([requantization_head(requant, zero_point), fours])
