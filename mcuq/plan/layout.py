"""Places blocks of memory with lifetimes: those that live at one time must not overlap.

The problem is NP-hard (dynamic storage allocation); several greedy orders and a short deterministic search are
tried, and the search ends as soon as the lower bound is met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

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
        offsets, end = _first_fit(blocks, order)
        if best_end < 0 or end < best_end:
            best_order, best_offsets, best_end = order, offsets, end
    rng = random.Random(0)
    for _ in range(SEARCH_ROUNDS):
        if best_end == bound or len(blocks) < 3:
            break
        order = list(best_order)
        i, k = rng.sample(indices, 2)
        order.insert(k, order.pop(i))
        offsets, end = _first_fit(blocks, order)
        if end <= best_end:
            best_order, best_offsets, best_end = order, offsets, end
    return best_offsets


def lower_bound(blocks: Sequence[Block]) -> int:
    """Most bytes alive at one step."""
    steps = {block.first for block in blocks}
    return max((sum(b.size_bytes for b in blocks if b.first <= step <= b.last) for step in steps), default=0)


def _first_fit(blocks: Sequence[Block], order: Sequence[int]) -> tuple[list[int], int]:
    """Each block at the lowest offset that is free throughout its life; returns (offsets, end)."""
    offsets = [0] * len(blocks)
    placed: list[int] = []
    for i in order:
        taken = sorted((offsets[j], offsets[j] + blocks[j].size_bytes) for j in placed if blocks[i].meets(blocks[j]))
        offset = 0
        for start, end in taken:
            if start - offset >= blocks[i].size_bytes:
                break
            offset = max(offset, end)
        offsets[i] = offset
        placed.append(i)
    return offsets, max((offsets[i] + blocks[i].size_bytes for i in placed), default=0)
