"""How constants of few different values lie in flash: in words of several values. NumPy twin of mcuq_unpack.h.

A function here and its namesake there (with the prefix `mcuq_`) give the same bytes. Words are int32, little-endian;
all packings but the codebook put values where C has four of them out of a word at a time, without taking them apart:

| packing | values | values a word | where value i of a word is |
|---|---|---|---|
| int4 | -8..7 | 8 | byte i % 4, the lower four bits for i < 4: value + 8 |
| int2 | -2..1 | 16 | byte i % 4, two bits from 2 * (i // 4): value + 2 |
| binary | -1, 1 | 32 | byte i % 4, bit i // 4: set for -1 |
| ternary | -1..1 | 20 | byte i % 4, digit i // 4 from the highest, less 1 |
| codebook | 16 of int8 | 8 | bits from 4 * i: an index; the 16 values are four words before the others |
| blocks | as below | 8 | as of int4: a code; two bytes of each 32 values, in words before the others |

In blocks of 32 a value is ((code - zero) * step + 8) >> 4: `step`, 1 to 255, and `zero`, 0 to 15, are the two bytes.
A ternary byte is ceil(256 * v / 243) of the number v that has the five digits to base 3.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mcuq.graph.tensor import PACKINGS, Array, Tensor

VALUES_A_WORD = {"int4": 8, "int2": 16, "ternary": 20, "binary": 32, "codebook": 8, "blocks": 8}
_GRIDS = {"int4": range(-8, 8), "int2": range(-2, 2), "ternary": range(-1, 2), "binary": (-1, 1)}
CODES = 16  # of a codebook
CODEBOOK_WORDS = CODES // 4
BLOCK = 32  # values of one step and zero
STEP_BITS = 4  # fraction bits of a step
LARGEST_STEP = 255
PACKED = frozenset(PACKINGS)


def has_codebook(packing: str) -> bool:
    """Whether constants of the packing carry a table of their values."""
    return packing == "codebook"


def is_of_parts(packing: str) -> bool:
    """Whether what fits depends on which values are packed together: channels may have to be on their own."""
    return packing not in _GRIDS


def fits(values: Array, packing: str, shift: int = 0) -> bool:
    """Whether the packing has a code for each of the values, any shape; a codebook for all of them together.

    Values of other packings are those of the table above times 2^shift.
    """
    if has_codebook(packing):
        return np.unique(values).size <= CODES
    if packing not in _GRIDS:
        halved = values >> shift
        return np.array_equal(halved << shift, values) and int(_forms(halved).min(initial=0)) >= 0
    return bool(np.isin(values, [value << shift for value in _GRIDS[packing]]).all())


def packed_words(count: int, packing: str) -> int:
    """Words that `count` values take."""
    before = CODEBOOK_WORDS if has_codebook(packing) else _header_words(count) if packing == "blocks" else 0
    return -(-count // VALUES_A_WORD[packing]) + before


def stored_bytes(tensor: Tensor) -> int:
    """Bytes of flash that a constant takes: packed, or dense. Codebooks and what blocks share are not counted."""
    if tensor.packing is None:
        return tensor.size_bytes
    return 4 * -(-tensor.elements // VALUES_A_WORD[tensor.packing])


def pack(values: Array, packing: str, shift: int = 0) -> Array:
    """int32 words of int8 values that fit the packing with `shift`, any shape, in their order; ValueError for others.

    What is left of the last word holds the first value again.
    """
    if not fits(values, packing, shift):
        raise ValueError(f"{np.unique(values).tolist()} are not values of {packing}")
    flat = values.reshape(-1).astype(np.int64) >> (0 if has_codebook(packing) else shift)
    a_word = VALUES_A_WORD[packing]
    rows = np.pad(flat, (0, -flat.size % a_word), constant_values=flat[0] if flat.size else 0).reshape(-1, a_word)
    if has_codebook(packing):
        codes = np.unique(flat)
        table = np.pad(codes, (0, CODES - codes.size)).astype(np.int8)
        indices = np.searchsorted(codes, rows)
        return np.concatenate([table.view("<i4").astype(np.int32), _words(_bits(indices, 4 * np.arange(8)))])
    if packing == "blocks":
        return _pack_blocks(flat)
    by_step = rows.reshape(len(rows), -1, 4)  # (words, values of a byte, bytes)
    steps = np.arange(by_step.shape[1])[:, None]
    if packing == "ternary":
        digits = ((by_step + 1) * 3 ** (4 - steps)).sum(axis=1)
        return _words(_bits(-(-256 * digits // 243), 8 * np.arange(4)))
    width = 8 // by_step.shape[1]
    fields = (by_step < 0).astype(np.int64) if packing == "binary" else by_step + (1 << width >> 1)
    return _words(_bits((fields << (width * steps)).sum(axis=1), 8 * np.arange(4)))


@cache
def _block_forms() -> tuple[Array, Array]:
    """Of each step and zero, a row: which of the values -128..127 have a code, as the bits of four uint64, and these
    codes, int8 (rows, 256)."""
    steps, zeros, codes = np.arange(1, LARGEST_STEP + 1), np.arange(CODES), np.arange(CODES)
    values = ((codes - zeros[:, None]) * steps[:, None, None] + (1 << STEP_BITS >> 1)) >> STEP_BITS
    values = values.reshape(-1, CODES)
    row, code = np.nonzero((values >= -128) & (values <= 127))
    has, found = np.zeros((len(values), 256), bool), np.zeros((len(values), 256), np.int8)
    has[row, values[row, code] + 128], found[row, values[row, code] + 128] = True, code
    return np.packbits(has, axis=1).view(np.uint64), found


def _in_blocks(flat: Array) -> Array:
    """(blocks, 32): the last one filled up with its first value."""
    left = -flat.size % BLOCK
    fill = flat[flat.size - flat.size % BLOCK] if left else 0
    return np.pad(flat, (0, left), constant_values=fill).reshape(-1, BLOCK)


def _forms(values: Array) -> Array:
    """Of each block of int8 values the first row of `_block_forms` that has codes for all of it; -1 where none has."""
    blocks = _in_blocks(values.reshape(-1).astype(np.int64))
    held = np.zeros((len(blocks), 256), bool)
    held[np.arange(len(blocks))[:, None], blocks + 128] = True
    has, found = _block_forms()[0], []
    for wanted in np.split(np.packbits(held, axis=1).view(np.uint64), range(256, len(blocks), 256)):
        lacks = np.asarray(((wanted[:, None] & ~has) != 0).any(axis=2))
        found.append(np.where(lacks.all(axis=1), -1, lacks.argmin(axis=1)))
    return np.concatenate(found)


def _header_words(count: int) -> int:
    """Words that the steps and zeros of `count` values take."""
    return -(-count // (2 * BLOCK))


def _pack_blocks(flat: Array) -> Array:
    """int32 words of values that fit."""
    forms = _forms(flat)
    shared = np.stack([forms // CODES + 1, forms % CODES], axis=1).reshape(-1)
    header = np.pad(shared, (0, -shared.size % 4)).astype(np.uint8).view("<i4").astype(np.int32)
    codes = np.take_along_axis(_block_forms()[1][forms], _in_blocks(flat) + 128, axis=1).reshape(-1)
    by_step = codes[: -(-flat.size // 8) * 8].reshape(-1, 2, 4).astype(np.int64)
    fields = (by_step << (4 * np.arange(2)[:, None])).sum(axis=1)
    return np.concatenate([header, _words(_bits(fields, 8 * np.arange(4)))])


def _bits(parts: Array, shifts: Array) -> Array:
    """The fields `parts` (words, fields) of each word, put where `shifts` says."""
    words: Array = (parts << shifts).sum(axis=1)
    return words


def _words(unsigned: Array) -> Array:
    """int64 in 0..2^32-1 as int32 of the same bits."""
    return unsigned.astype(np.uint32).view(np.int32)


def unpack(packed: Array, packing: str, count: int, shift: int = 0) -> Array:
    """int8 (count): the first values of the words, times 2^shift but for a codebook, which holds what it stands for."""
    found: Array = _UNPACK[packing](packed, count, shift)
    return found


def unpack_int4(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of int4 words."""
    return _in_order([_fields(packed, 4, step) for step in range(2)], count, shift)


def unpack_int2(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of int2 words."""
    return _in_order([_fields(packed, 2, step) for step in range(4)], count, shift)


def unpack_binary(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of binary words."""
    bits = _bytes(packed)
    return _in_order([1 - 2 * ((bits >> step) & 1) for step in range(8)], count, shift)


def unpack_ternary(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of ternary words: three times a byte carries out its highest digit."""
    left, parts = _bytes(packed), []
    for _ in range(5):
        left = left * 3
        parts.append((left >> 8) - 1)
        left &= 255
    return _in_order(parts, count, shift)


def unpack_codebook(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of a codebook and words of indices, whatever `shift` is."""
    del shift
    table = packed[:CODEBOOK_WORDS].astype("<i4").view(np.int8)
    words = packed[CODEBOOK_WORDS:].view(np.uint32)
    indices = (words[:, None] >> np.arange(0, 32, 4, dtype=np.uint32)) & 15
    values: Array = table[indices.reshape(-1)[:count]]
    return values


def unpack_blocks(packed: Array, count: int, shift: int) -> Array:
    """int8 (count) of the steps and zeros of blocks and words of codes."""
    before = _header_words(count)
    shared = np.ascontiguousarray(packed[:before], "<i4").view(np.uint8).astype(np.int64)
    of_each = np.arange(count) // BLOCK
    words = _bytes(packed[before:])
    codes = np.stack([words & 15, words >> 4], axis=1).reshape(-1)[:count]
    values = ((codes - shared[1::2][of_each]) * shared[::2][of_each] + (1 << STEP_BITS >> 1)) >> STEP_BITS
    return (values << shift).astype(np.int8)


def _bytes(packed: Array) -> Array:
    """int64 (words, 4)."""
    return np.ascontiguousarray(packed, "<i4").view(np.uint8).reshape(-1, 4).astype(np.int64)


def _fields(packed: Array, width: int, step: int) -> Array:
    """int64 (words, 4): what `width` bits from bit `width * step` of each byte stand for."""
    values: Array = ((_bytes(packed) >> (width * step)) & ((1 << width) - 1)) - (1 << width >> 1)
    return values


def _in_order(parts: list[Array], count: int, shift: int) -> Array:
    """The values of all words from parts (words, 4), times 2^shift."""
    return (np.stack(parts, axis=1).reshape(-1)[:count] << shift).astype(np.int8)


_UNPACK = {
    "int4": unpack_int4,
    "int2": unpack_int2,
    "ternary": unpack_ternary,
    "binary": unpack_binary,
    "codebook": unpack_codebook,
    "blocks": unpack_blocks,
}
