"""Nested loops over strided memory: what Transpose, Slice, Concat and Pad have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Constants

MAX_LOOPS = 6


@dataclass(frozen=True)
class StridedConstants(Constants):
    """Loop counts, outermost first, and for each the distance in elements on the strided side."""

    element_type: str
    start: int
    size_0: int
    size_1: int
    size_2: int
    size_3: int
    size_4: int
    size_5: int
    stride_0: int
    stride_1: int
    stride_2: int
    stride_3: int
    stride_4: int
    stride_5: int


class StridedCopy(StridedConstants):
    """The input is read with strides, the output written in order."""

    template = "portable/strided_copy"


class StridedScatter(StridedConstants):
    """The input is read in order, the output written with strides; between its elements it stays as it is."""

    template = "portable/strided_scatter"


def strided_loops(
    kind: type[StridedConstants], layer: Layer, sizes: Sequence[int], strides: Sequence[int], start: int = 0
) -> StridedConstants:
    """The loops, with dimensions merged where one walks on from the other.

    Raises ModelError where more than 6 loops remain.
    """
    merged: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    if len(merged) > MAX_LOOPS:
        raise ModelError(f"{layer.where}: moves data in {len(merged)} nested loops; at most {MAX_LOOPS} are supported")
    merged = [(1, 0)] * (MAX_LOOPS - len(merged)) + merged
    sizes_by_name = {f"size_{i}": size for i, (size, _) in enumerate(merged)}
    strides_by_name = {f"stride_{i}": stride for i, (_, stride) in enumerate(merged)}
    return kind(element_type=C_TYPES[layer.output.dtype], start=start, **sizes_by_name, **strides_by_name)
