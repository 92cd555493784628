"""Places blocks of memory with lifetimes: those that live at one time must not overlap.

The problem is NP-hard (dynamic storage allocation); several greedy orders and a short deterministic search are
tried, and the search ends as soon as the lower bound is met.
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcuq.graph.liveness import live_bytes

SEARCH_ROUNDS = 300


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from step `first` to step `last`, both included."""

    size_bytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both live at some step."""
        return self.first <= other.last and other.first <= self.last


def place(blocks: Sequence[Block]) -> list[int]:
    """Offsets in bytes, one a block, with a small end of the last."""
    indices = list(range(len(blocks)))
    bound = lower_bound(blocks)
    others = _meeting(blocks)
    orders = [
        sorted(indices, key=lambda i: (-blocks[i].size_bytes, blocks[i].first)),
        sorted(
            indices, key=lambda i: (-blocks[i].size_bytes * (blocks[i].last - blocks[i].first + 1), blocks[i].first)
        ),
        sorted(indices, key=lambda i: (blocks[i].first - blocks[i].last, -blocks[i].size_bytes)),
        indices,
    ]
    best_order, best_offsets, best_end = indices, [0] * len(blocks), -1
    for order in orders:
        offsets, end = _first_fit(blocks, order, others)
        if best_end < 0 or end < best_end:
            best_order, best_offsets, best_end = order, offsets, end
    rng = random.Random(0)
    for _ in range(SEARCH_ROUNDS):
        if best_end == bound or len(blocks) < 3:
            break
        order = list(best_order)
        i, k = rng.sample(indices, 2)
        order.insert(k, order.pop(i))
        offsets, end = _first_fit(blocks, order, others, best_offsets, min(i, k))
        if end <= best_end:
            best_order, best_offsets, best_end = order, offsets, end
    return best_offsets


def lower_bound(blocks: Sequence[Block]) -> int:
    """Most bytes alive at one step."""
    return max(live_bytes((b.size_bytes, b.first, b.last) for b in blocks).values(), default=0)


def _meeting(blocks: Sequence[Block]) -> list[set[int]]:
    """For each block the others that live at some step with it; work is theirs, not the square of all."""
    others: list[set[int]] = [set() for _ in blocks]
    alive: list[int] = []
    for i in sorted(range(len(blocks)), key=lambda i: blocks[i].first):
        alive = [j for j in alive if blocks[j].meets(blocks[i])]
        for j in alive:
            others[i].add(j)
            others[j].add(i)
        alive.append(i)
    return others


def _first_fit(
    blocks: Sequence[Block],
    order: Sequence[int],
    others: Sequence[set[int]],
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
        near = others[i]
        offset = 0
        taken: Iterable[tuple[int, int, int]] = (
            (span for span in placed if span[2] in near)
            if is_crowded
            else sorted((offsets[j], offsets[j] + sizes[j], j) for j in near if offsets[j] >= 0)
        )
        for start, end, _ in taken:
            if start - offset >= sizes[i]:
                break
            if end > offset:
                offset = end
        offsets[i] = offset
        if is_crowded:
            insort(placed, (offset, offset + sizes[i], i))
    return offsets, max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0)
