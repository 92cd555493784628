"""Packed weights of a layer, all of them at once: the call before a kernel of whole ones."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.kernel import Constants


@dataclass(frozen=True)
class UnpackConstants(Constants):
    """All weights of a layer: `parts` of `values` each, `part_words` words apart, which come out times 2^weight_shift.
    `packing` is the end of a function's name in mcuq_unpack.h."""

    template = "portable/unpack"

    packing: str
    values: int
    parts: int
    part_words: int
    weight_shift: int
