"""Blocks of memory that live for a while: which of them meet, which may overlap, and what bytes they take at least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuq.graph.liveness import aligned, live_bytes


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from step `first` to step `last`, both included."""

    size_bytes: int
    first: int
    last: int

    def meets(self, other: Block) -> bool:
        """Whether both live at some step."""
        return self.first <= other.last and other.first <= self.last


Over = Mapping[tuple[int, int], int]
"""Blocks (i, j) that may overlap although they meet, and by how many bytes j lies above i then at least: offset_j -
offset_i >= over[(i, j)]. At 0 or less j lies at i, or so much below it at most."""

NOTHING_OVER: Over = {}

Distances = Sequence[Mapping[int, tuple[int, int]]]
"""For each block i the others j that may overlap it: how far j lies above i at least, or else how far below it."""


def distances(blocks: Sequence[Block], over: Over) -> Distances:
    """What `over` says of the blocks that meet, rounded up so that all that is aligned stays so."""
    found: list[dict[int, tuple[int, int]]] = [{} for _ in blocks]
    for i, j in over:
        if blocks[i].meets(blocks[j]):
            above, below = (
                min(aligned(over.get(pair, blocks[pair[0]].size_bytes)), blocks[pair[0]].size_bytes)
                for pair in ((i, j), (j, i))
            )
            found[i][j] = above, below
            found[j][i] = below, above
    return found


def meeting(blocks: Sequence[Block]) -> list[set[int]]:
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


def end_of(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    """Where the last of the bytes ends."""
    return max((offset + block.size_bytes for offset, block in zip(offsets, blocks, strict=True)), default=0)


def common_bytes(blocks: Sequence[Block], near: Distances) -> dict[tuple[int, int], int]:
    """Bytes that each pair (i, j), i < j, of those that may overlap has in common at most."""
    found = {}
    for i, others in enumerate(near):
        for j, (above, below) in others.items():
            if i < j:
                a, b = blocks[i].size_bytes, blocks[j].size_bytes
                found[i, j] = max(0, min(a, b, a - above), min(a, b, b - below))
    return found


def lower_bound(blocks: Sequence[Block], over: Over = NOTHING_OVER) -> int:
    """Bytes that any layout takes: the most alive at one step, of which some have some bytes in common."""
    near = distances(blocks, over)
    common = common_bytes(blocks, near)
    alone = live_bytes((b.size_bytes, b.first, b.last) for b, others in zip(blocks, near, strict=True) if not others)
    bound = max(alone.values(), default=0)
    together = [i for i, others in enumerate(near) if others]
    for step in {b.first for b in blocks} if together else ():  # the most is alive where something begins
        alive = [i for i in together if blocks[i].first <= step <= blocks[i].last]
        bound = max(bound, alone.get(step, 0) + _union_bytes(blocks, alive, common))
    return bound


def _union_bytes(blocks: Sequence[Block], alive: list[int], common: Mapping[tuple[int, int], int]) -> int:
    """Bytes of the blocks together at least: those of any choice of them, less what its pairs have in common."""
    left = {i: blocks[i].size_bytes for i in alive}
    pairs = {pair: n for pair, n in common.items() if pair[0] in left and pair[1] in left}
    for (i, j), n in pairs.items():
        left[i] -= n
        left[j] -= n
    chosen = set(alive)
    while chosen and min(left[i] for i in chosen) < 0:  # more is lost with it than it has itself
        worst = min(chosen, key=lambda i: (left[i], i))
        chosen.remove(worst)
        for pair, n in pairs.items():
            if worst in pair:
                left[sum(pair) - worst] += n
    shared = sum(n for (i, j), n in pairs.items() if i in chosen and j in chosen)
    return sum(blocks[i].size_bytes for i in chosen) - shared
