"""Sparse weights: their values, and level by level where these lie (schema.fbs, SparsityParameters)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.graph.tensor import Array


@dataclass(frozen=True)
class Level:
    """A dimension, or one of a block's, below each place of the levels before it.

    Dense: indices from 0 to `size` - 1. Else those of `indices` from segments[p] on and before segments[p + 1], p being
    the number of the place.
    """

    size: int
    segments: Array | None = None
    indices: Array | None = None


def unpacked(
    values: Array, shape: Sequence[int], order: Sequence[int], blocks: Sequence[int], levels: Sequence[Level]
) -> Array:
    """The dense array. Level l is of dimension order[l]; from the rank on these are blocks, of dimensions blocks[...].

    ValueError where the parts do not fit each other.
    """
    rank = len(shape)
    is_known = len(set(blocks)) == len(blocks) and set(blocks) <= set(range(rank))
    if sorted(order) != list(range(rank + len(blocks))) or len(levels) != len(order) or not is_known:
        raise ValueError("levels are not one a dimension and block")
    sizes = [1] * rank  # of the block of each dimension
    for block, axis in enumerate(blocks):
        sizes[axis] = levels[order.index(rank + block)].size
    if min(sizes, default=1) < 1 or any(n % size for n, size in zip(shape, sizes, strict=True)):
        raise ValueError("blocks do not fill the shape")
    extents = [*(n // size for n, size in zip(shape, sizes, strict=True)), *(sizes[axis] for axis in blocks)]
    places, count = np.zeros((len(order), 1), np.int64), 1
    for index, (dimension, level) in enumerate(zip(order, levels, strict=True)):
        if level.segments is None or level.indices is None:
            if level.size != extents[dimension] or count * level.size > prod(shape):
                raise ValueError("a dense level has another size than its dimension")
            parents, own = np.repeat(np.arange(count), level.size), np.tile(np.arange(level.size), count)
        else:
            lengths, own = np.diff(level.segments), level.indices
            if (
                lengths.size != count
                or level.segments[0] != 0
                or lengths.min(initial=0) < 0
                or lengths.sum() != own.size
            ):
                raise ValueError("segments do not divide the indices")
            if own.size and not 0 <= own.min() <= own.max() < extents[dimension]:
                raise ValueError("indices lie outside their dimension")
            parents = np.repeat(np.arange(count), lengths)
        places = places[:, parents]
        places[index], count = own, own.size
    if count != values.size:
        raise ValueError("there are not as many values as places")
    of = {dimension: places[index] for index, dimension in enumerate(order)}
    for block, axis in enumerate(blocks):
        of[axis] = of[axis] * sizes[axis] + of[rank + block]
    dense = np.zeros(shape, values.dtype)
    dense[tuple(of[axis] for axis in range(rank))] = values
    return dense
