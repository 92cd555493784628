"""Weights in pairs, whole or packed, for the kernels that multiply them with columns of pixels or rows."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.dsp.order import channel_words, pair_words
from mcuq.kernels.dsp.packed_blocks import block_of, channel_blocks, pair_blocks, rows_of
from mcuq.kernels.dsp.pasted import unpacked_words
from mcuq.kernels.packed import Weights
from mcuq.ops.packed_weights import packing_of, whole_weights


@dataclass(frozen=True)
class Pairs:
    """A `layer` with whole weights, how its kernel finds them, its arrays, and what scratch a block of them takes."""

    layer: Layer
    weights: Weights
    arrays: dict[str, Array]
    unpacked_bytes: int = 0


def in_pairs(layer: Layer) -> Pairs:
    """Of weights that are not packed."""
    arrays = {"weight": pair_words(layer), "channel": channel_words(layer)}
    return Pairs(layer, Weights(layer.output.shape[-1]), arrays)


def packed_in_pairs(layer: Layer, at: str, values: str, name: str) -> Pairs:
    """Of packed ones, unpacked as `unpacked_words` says."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    blocks = pair_blocks(rows_of(layer), packing, shift, block_of(layer))
    arrays = {"weight": blocks.words, "channel": channel_blocks(layer, blocks.block)}
    return Pairs(layer, unpacked_words(blocks, at, values, name), arrays, blocks.unpacked_bytes)
