"""Places blocks of memory with lifetimes: those that live at one time must not overlap.

The problem is NP-hard (dynamic storage allocation); several greedy orders and a short deterministic search are
tried, and the search ends as soon as the lower bound is met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
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
        offsets, end = _first_fit(blocks, order, others)
        if end <= best_end:
            best_order, best_offsets, best_end = order, offsets, end
    return best_offsets


def lower_bound(blocks: Sequence[Block]) -> int:
    """Most bytes alive at one step."""
    return max(live_bytes((b.size_bytes, b.first, b.last) for b in blocks).values(), default=0)


def _meeting(blocks: Sequence[Block]) -> list[list[int]]:
    """For each block the others that live at some step with it; work is theirs, not the square of all."""
    others: list[list[int]] = [[] for _ in blocks]
    alive: list[int] = []
    for i in sorted(range(len(blocks)), key=lambda i: blocks[i].first):
        alive = [j for j in alive if blocks[j].meets(blocks[i])]
        for j in alive:
            others[i].append(j)
            others[j].append(i)
        alive.append(i)
    return others


def _first_fit(blocks: Sequence[Block], order: Sequence[int], others: Sequence[Sequence[int]]) -> tuple[list[int], int]:
    """Each block at the lowest offset that is free throughout its life; returns (offsets, end)."""
    offsets = [-1] * len(blocks)  # of those that are not placed yet
    for i in order:
        taken = sorted((offsets[j], offsets[j] + blocks[j].size_bytes) for j in others[i] if offsets[j] >= 0)
        offset = 0
        for start, end in taken:
            if start - offset >= blocks[i].size_bytes:
                break
            offset = max(offset, end)
        offsets[i] = offset
    return offsets, max((offset + block.size_bytes for offset, block in zip(offsets, blocks, strict=True)), default=0)
