"""Blocks placed one after another, each at the lowest offset that is free: a good layout of any number at once."""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence

from mcuq.graph.liveness import live_bytes
from mcuq.plan.blocks import Block, Distances

Fit = tuple[list[int], int]
"""Offsets of all blocks, and where the last ends."""


def fit_all(
    blocks: Sequence[Block], others: Sequence[set[int]], near: Distances, bound: int, rounds: int
) -> tuple[list[int], int]:
    """The best of several orders, and of as many more as `rounds` in which a block comes earlier; it ends as soon as
    `bound` is met."""
    best_order, (best_offsets, best_end) = [], ([], -1)
    for order in _orders(blocks):
        offsets, end = first_fit(blocks, order, others, near)
        if best_end < 0 or end < best_end:
            best_order, best_offsets, best_end = order, offsets, end
    rng = random.Random(0)
    for _ in range(rounds):
        if best_end == bound or len(blocks) < 3:
            break
        order = list(best_order)
        late = order.index(_in_the_way(blocks, best_offsets, best_end, others, rng))
        early = rng.randrange(late + 1)
        if rng.random() < 0.5:
            order[early], order[late] = order[late], order[early]
        else:
            order.insert(early, order.pop(late))
        offsets, end = first_fit(blocks, order, others, near, best_offsets, early)
        if end <= best_end:
            best_order, best_offsets, best_end = order, offsets, end
    return best_offsets, best_end


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    """Blocks by what makes them hard to place later."""
    alive = live_bytes((b.size_bytes, b.first, b.last) for b in blocks)
    crowd = {b: max(alive[step] for step in range(b.first, b.last + 1)) for b in blocks}
    keys: list[Callable[[Block], tuple[int, ...]]] = [
        lambda b: (-b.size_bytes, b.first),
        lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (-crowd[b], b.first - b.last, -b.size_bytes),
        lambda b: (),
        # Working memory, then what lies over what it is made of: the later the lower.
        lambda b: (int(b.first < b.last), -b.last, -b.size_bytes),
    ]
    return [sorted(range(len(blocks)), key=lambda i: key(blocks[i])) for key in keys]


def _in_the_way(
    blocks: Sequence[Block], offsets: Sequence[int], end: int, others: Sequence[set[int]], rng: random.Random
) -> int:
    """A block that ends last, or one of those that it rests upon."""
    found = rng.choice([i for i, b in enumerate(blocks) if offsets[i] + b.size_bytes == end])
    while rng.random() < 0.5:
        below = sorted(j for j in others[found] if offsets[j] + blocks[j].size_bytes == offsets[found])
        if not below:
            break
        found = rng.choice(below)
    return found


def first_fit(
    blocks: Sequence[Block],
    order: Sequence[int],
    others: Sequence[set[int]],
    near: Distances,
    before: Sequence[int] = (),
    kept: int = 0,
) -> tuple[list[int], int]:
    """Each block at the lowest offset that is free throughout its life; returns (offsets, end).

    The first `kept` of the order stay at their offsets of `before`.
    """
    sizes = [block.size_bytes for block in blocks]
    offsets = [-1] * len(blocks)  # of those that are not placed yet
    for i in order[:kept]:
        offsets[i] = before[i]
    # Where most meet, going through all in order is less work than sorting the others of each.
    is_crowded = sum(map(len, others)) * 4 > len(blocks) ** 2
    placed = sorted((offsets[i], offsets[i] + sizes[i], i) for i in order[:kept]) if is_crowded else []
    for i in order[kept:]:
        met = others[i]
        offset = 0
        taken: Iterable[tuple[int, int, int]]
        if near[i]:
            taken = sorted(_taken(i, sizes, offsets, met, near[i]))
        elif is_crowded:
            taken = (span for span in placed if span[2] in met)
        else:
            taken = sorted((offsets[j], offsets[j] + sizes[j], j) for j in met if offsets[j] >= 0)
        for start, end, _ in taken:
            if start - offset >= sizes[i]:
                break
            if end > offset:
                offset = end
        offsets[i] = offset
        if is_crowded:
            insort(placed, (offset, offset + sizes[i], i))
    return offsets, max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0)


def _taken(
    i: int, sizes: Sequence[int], offsets: Sequence[int], met: Iterable[int], near: Mapping[int, tuple[int, int]]
) -> Iterable[tuple[int, int, int]]:
    """Bytes of placed others that block i must not touch, where it may overlap some of them: (start, end, whose)."""
    for j in met:
        if offsets[j] >= 0:
            above, below = near.get(j, (sizes[i], sizes[j]))
            start, end = offsets[j] - above + sizes[i], offsets[j] + below
            if start - sizes[i] < end:
                yield start, end, j
