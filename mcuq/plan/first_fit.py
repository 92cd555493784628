"""Blocks placed one after another, each at the lowest offset that is free: a good layout of any number at once."""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Sequence

from mcuq.graph.liveness import live_bytes
from mcuq.plan.blocks import Block, Distances

Fit = tuple[list[int], int]
"""Offsets of all blocks, and where the last ends."""


def fit_all(
    blocks: Sequence[Block], others: Sequence[set[int]], near: Distances, bound: int, rounds: int
) -> tuple[list[int], int]:
    """The best of several orders, and of as many more as `rounds` in which a block comes earlier; it ends as soon as
    `bound` is met."""
    first_fit = FirstFit(blocks, others, near)
    best_order, best_offsets, best_end = list[int](), list[int](), -1
    for order in _orders(blocks):
        found = first_fit.place(order, most=best_end - 1 if best_end >= 0 else None)
        if found is not None:
            best_order, (best_offsets, best_end) = order, found
        if best_end == bound:
            break
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
        found = first_fit.place(order, best_offsets, early, best_end)
        if found is not None:
            best_order, (best_offsets, best_end) = order, found
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


class FirstFit:
    """Blocks that are placed one after another."""

    def __init__(self, blocks: Sequence[Block], others: Sequence[set[int]], near: Distances) -> None:
        self._others = others
        self._sizes = [block.size_bytes for block in blocks]
        # Where most meet, going through all in order is less work than sorting the others of each.
        self._is_crowded = sum(map(len, others)) * 4 > len(blocks) ** 2
        # For blocks that may overlap some: the bytes that each must not touch of others, from their offset on.
        self._taken = [
            [
                (j, self._sizes[i] - above, below)
                for j in met
                for above, below in (may_overlap.get(j, (self._sizes[i], self._sizes[j])),)
                if above + below > 0
            ]
            if may_overlap
            else []
            for i, (met, may_overlap) in enumerate(zip(others, near, strict=True))
        ]
        self._may_overlap = [bool(may_overlap) for may_overlap in near]

    def place(
        self, order: Sequence[int], before: Sequence[int] = (), kept: int = 0, most: int | None = None
    ) -> tuple[list[int], int] | None:
        """Each block at the lowest offset that is free throughout its life: (offsets, end), None where the end is
        beyond `most`.

        The first `kept` of the order stay at their offsets of `before`.
        """
        sizes = self._sizes
        offsets = [-1] * len(sizes)  # of those that are not placed yet
        end_of_all = 0
        for i in order[:kept]:
            offsets[i] = before[i]
            end_of_all = max(end_of_all, before[i] + sizes[i])
        is_crowded = self._is_crowded
        placed = sorted((offsets[i], offsets[i] + sizes[i], i) for i in order[:kept]) if is_crowded else []
        for i in order[kept:]:
            if most is not None and end_of_all > most:
                return None
            met, size_bytes = self._others[i], sizes[i]
            offset = 0
            if is_crowded and not self._may_overlap[i]:
                for start, end, j in placed:
                    if end > offset:
                        if start - offset >= size_bytes:  # and so do all that follow
                            break
                        if j in met:
                            offset = end
            else:
                taken = (
                    [(offsets[j] + start, offsets[j] + end) for j, start, end in self._taken[i] if offsets[j] >= 0]
                    if self._may_overlap[i]
                    else [(offsets[j], offsets[j] + sizes[j]) for j in met if offsets[j] >= 0]
                )
                for start, end in sorted(taken):
                    if start - offset >= size_bytes:
                        break
                    if end > offset:
                        offset = end
            offsets[i] = offset
            end_of_all = max(end_of_all, offset + size_bytes)
            if is_crowded:
                insort(placed, (offset, offset + size_bytes, i))
        return (offsets, end_of_all) if most is None or end_of_all <= most else None
