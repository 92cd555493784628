"""Packed weights in blocks of output channels: what kernels unpack at a time, once an inference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcuq.arithmetic.packing import PACKED, VALUES_A_WORD, fits, pack
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import NOTHING, Accepts, Constants, Fragment
from mcuq.ops.packed_weights import whole_weights

# Storages of constants that kernels of packed weights take; biases are int32.
PACKED_CONSTANTS = PACKED | {"int32"}


@dataclass(frozen=True)
class PackedConstants(Constants):
    """What a kernel needs to unpack `block` channels at a time, `part_words` words each.

    `packing` is the end of a function's name in mcuq_unpack.h; weights come out times 2^weight_shift.
    """

    packing: str
    block: int
    part_words: int
    weight_shift: int


@dataclass(frozen=True)
class PackedPartsConstants(PackedConstants):
    """The same in parts of `part` channels, `part_words` words each: the whole block, or single channels where each has
    a codebook of its own."""

    part: int


@dataclass(frozen=True)
class PackedBlocks:
    """`words` of all blocks one after the other, and how they are divided; `unpacked_bytes` is what a block of int8
    takes with all that unpacking writes, up to whole words."""

    words: Array
    packing: str
    block: int
    part: int
    part_words: int
    unpacked_bytes: int
    weight_shift: int

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of PackedConstants."""
        return {
            "packing": self.packing,
            "block": self.block,
            "part_words": self.part_words,
            "weight_shift": self.weight_shift,
        }


def of_whole(accepts: Accepts) -> Accepts:
    """Whether a kernel of whole weights takes a layer once it is unpacked."""
    return lambda op, layer: accepts(op, whole_weights(layer)[0])


def block_channels(channels: int, taps: int, most_bytes: int, multiple: int = 4, most_channels: int = 64) -> int:
    """Channels of a block: as many as `most_bytes` of int8 hold and no more than `most_channels`, in a `multiple`, if
    only one of it; all where there are no more."""
    fitting = min(most_bytes // taps, most_channels) // multiple * multiple
    return min(channels, max(fitting, multiple))


def pack_blocks(
    weight: Array,
    packing: str,
    block: int,
    shift: int = 0,
    group: int | None = None,
    arrange: Callable[[Array], Array] | None = None,
) -> PackedBlocks:
    """Blocks of int8 `weight` (channels, taps), none across a border of `group` channels. Weights are values of the
    packing times 2^shift.

    `arrange` gives the order in which a kernel reads a block (channels, taps); such a block is unpacked whole. Raises
    ValueError for values that the packing has no codes for.
    """
    channels, taps = weight.shape
    group = group or channels
    starts = [start for first in range(0, channels, group) for start in range(first, first + group, block)]
    blocks = [weight[start : min(start + block, (start // group + 1) * group)] for start in starts]
    part = block
    if arrange is not None:
        blocks = [arrange(rows) for rows in blocks]
    elif not all(fits(rows, packing, shift) for rows in blocks):
        part, blocks = 1, list(weight[:, None])
    packed = [pack(rows, packing, shift) for rows in blocks]
    # All begin a multiple of `part_words` from the first: shorter ones are filled up, but for the last.
    packed = [*(np.pad(words, (0, packed[0].size - words.size)) for words in packed[:-1]), packed[-1]]
    a_word = VALUES_A_WORD[packing]
    values = blocks[0].size if part == block else block * taps
    unpacked_bytes = -(-values // a_word) * a_word
    return PackedBlocks(np.concatenate(packed), packing, block, part, packed[0].size, unpacked_bytes, shift)


@dataclass(frozen=True)
class Weights:
    """How a kernel finds the weights of `block` channels, `rows` of C: `unpacked` declares where they are written and
    `unpack` writes them, unless they are whole."""

    block: int
    rows: str = "weight"
    unpacked: Fragment = NOTHING
    unpack: Fragment = NOTHING


def unpack(blocks: PackedBlocks, values: str, to: str, name: str) -> Fragment:
    """Unpacks the next of the blocks, so many `values`."""
    function = f"mcuq_unpack_{blocks.packing}"
    text = f"{function}(weight, {values}, weight_shift, {to});\nweight += part_words;"
    numbers = {"part_words": blocks.part_words, "weight_shift": blocks.weight_shift}
    return Fragment.of(text, function, name=name, numbers=numbers)


def unpack_parts(blocks: PackedBlocks, channels: str, taps: str, name: str) -> Fragment:
    """The same of so many channels to `unpacked`, part by part."""
    values = f"({channels} - i < part ? {channels} - i : part) * {taps}"
    one = unpack(blocks, values, f"unpacked + i * {taps}", name)
    lines = one.text.replace("\n", "\n    ")
    text = f"for (int32_t i = 0; i < {channels}; i += part) {{\n    {lines}\n}}"
    return replace(one, text=text).naming(part=blocks.part)
