"""Nested loops over strided memory: what Transpose, Slice, Concat and Pad have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Constants, Fragment

MAX_LOOPS = 6


@dataclass(frozen=True)
class StridedConstants(Constants):
    """Loop counts, outermost first, and for each the distance in elements on the strided side.

    `row` points to where the innermost loop begins; `whole` moves all of that, `element` one of its elements.
    """

    template = "portable/strided"

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
    row: Fragment
    whole: Fragment
    element: Fragment


@dataclass(frozen=True)
class Side:
    """Which side has strides; the other is in order."""

    row: Fragment
    whole: Fragment
    element: Fragment


def _row(pointer: str, side: str, name: str) -> Fragment:
    before = f"{pointer} = {side} + ("
    strides = "start + i0 * stride_0 + i1 * stride_1 + i2 * stride_2 + i3 * stride_3"
    return Fragment(f"{before}{strides}\n{' ' * len(before)}+ i4 * stride_4);", name=name)


# The input is read with strides.
READ = Side(
    _row("const element *row", "x", "strided_copy"),
    Fragment.of("mcuq_copy_bytes(y, row, row_bytes);\ny += size_5;", "mcuq_copy_bytes"),
    Fragment("*(volatile element *)y++ = row[i5 * stride_5];"),
)
# The output is written with strides; between its elements it stays as it is.
WRITTEN = Side(
    _row("element *row", "y", "strided_scatter"),
    Fragment.of("mcuq_copy_bytes(row, x, row_bytes);\nx += size_5;", "mcuq_copy_bytes"),
    Fragment("*(volatile element *)&row[i5 * stride_5] = *x++;"),
)


def strided_loops(
    side: Side, layer: Layer, sizes: Sequence[int], strides: Sequence[int], start: int = 0
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
    return StridedConstants(
        **{**sizes_by_name, **strides_by_name, **vars(side)}, element_type=C_TYPES[layer.output.dtype], start=start
    )
