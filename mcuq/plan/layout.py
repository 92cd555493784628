"""Places blocks of memory with lifetimes: those that live at one time must not overlap.

The problem is NP-hard (dynamic storage allocation); several greedy orders and a short deterministic search are
tried, and the search ends as soon as the lower bound is met.
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcuq.graph.liveness import aligned, live_bytes

SEARCH_ROUNDS = 300

Over = Mapping[tuple[int, int], int]
NOTHING_OVER: Over = {}


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from step `first` to step `last`, both included."""

    size_bytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both live at some step."""
        return self.first <= other.last and other.first <= self.last


def place(blocks: Sequence[Block], over: Over = NOTHING_OVER) -> list[int]:
    """Offsets in bytes, one a block, with a small end of the last.

    Blocks i and j that meet lie apart, or `over` says by how many bytes j must lie above i (0 or less: above it, at
    it, or at most so much below it): offset_j - offset_i >= over[(i, j)]; so an output lies over rows of its input
    that are used up.
    """
    indices = list(range(len(blocks)))
    over = {pair: aligned(bytes_above) for pair, bytes_above in over.items()}
    bound = lower_bound(blocks, over)
    others = _meeting(blocks)
    apart = _apart(blocks, over)
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
        offsets, end = _first_fit(blocks, order, others, apart)
        if best_end < 0 or end < best_end:
            best_order, best_offsets, best_end = order, offsets, end
    rng = random.Random(0)
    for _ in range(SEARCH_ROUNDS):
        if best_end == bound or len(blocks) < 3:
            break
        order = list(best_order)
        i, k = rng.sample(indices, 2)
        order.insert(k, order.pop(i))
        offsets, end = _first_fit(blocks, order, others, apart, best_offsets, min(i, k))
        if end <= best_end:
            best_order, best_offsets, best_end = order, offsets, end
    return best_offsets


def lower_bound(blocks: Sequence[Block], over: Over = NOTHING_OVER) -> int:
    """Most bytes alive at one step, less what `over` lets two of them share at most."""
    lives = [(b.size_bytes, b.first, b.last) for b in blocks]
    shared: dict[tuple[int, int], int] = {}
    for (i, j), bytes_above in over.items():
        pair = min(i, j), max(i, j)
        room = min(blocks[i].size_bytes, blocks[j].size_bytes, blocks[i].size_bytes - aligned(bytes_above))
        shared[pair] = max(shared.get(pair, 0), room)
    for (
        i,
        j,
    ), common_bytes in shared.items():  # the union of sets is at least their sum less what pairs have in common
        if blocks[i].meets(blocks[j]):
            first, last = max(blocks[i].first, blocks[j].first), min(blocks[i].last, blocks[j].last)
            lives.append((-common_bytes, first, last))
    return max([*live_bytes(lives).values(), *(b.size_bytes for b in blocks)], default=0)


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


def _apart(blocks: Sequence[Block], over: Over) -> list[dict[int, tuple[int, int]]]:
    """For each block i the others j that may overlap it: how far j lies above i at least, and how far below it."""
    apart: list[dict[int, tuple[int, int]]] = [{} for _ in blocks]
    for i, j in over:
        if not blocks[i].meets(blocks[j]):
            continue
        above = min(over.get((i, j), blocks[i].size_bytes), blocks[i].size_bytes)
        below = min(over.get((j, i), blocks[j].size_bytes), blocks[j].size_bytes)
        apart[i][j] = above, below
        apart[j][i] = below, above
    return apart


def _first_fit(
    blocks: Sequence[Block],
    order: Sequence[int],
    others: Sequence[set[int]],
    apart: Sequence[Mapping[int, tuple[int, int]]],
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
        taken: Iterable[tuple[int, int, int]]
        if apart[i]:
            taken = sorted(_taken(i, sizes, offsets, near, apart[i]))
        elif is_crowded:
            taken = (span for span in placed if span[2] in near)
        else:
            taken = sorted((offsets[j], offsets[j] + sizes[j], j) for j in near if offsets[j] >= 0)
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
    i: int, sizes: Sequence[int], offsets: Sequence[int], near: Iterable[int], apart: Mapping[int, tuple[int, int]]
) -> Iterable[tuple[int, int, int]]:
    """Bytes of placed others that block i must not touch, where it may overlap some of them: (start, end, whose)."""
    for j in near:
        if offsets[j] >= 0:
            above, below = apart.get(j, (sizes[i], sizes[j]))
            start, end = offsets[j] - above + sizes[i], offsets[j] + below
            if start - sizes[i] < end:
                yield start, end, j
