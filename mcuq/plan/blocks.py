"""Blocks of memory that live for a while: which of them meet, which may overlap, and what bytes they take at least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from mcuq.graph.liveness import aligned, live_bytes


@dataclass(frozen=True)
class Extent:
    """Bytes of a block, from `offset` within it on, from step `first` to step `last`, both included."""

    offset: int
    size_bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """Where they end within the block."""
        return self.offset + self.size_bytes


@dataclass(frozen=True)
class Block:
    """Bytes, multiples of ALIGNMENT, that are needed from step `first` to step `last`, both included; where not all of
    them are all the time, its `extents` say which, one after another in time and without a gap between them."""

    size_bytes: int
    first: int
    last: int
    extents: tuple[Extent, ...] = ()

    def meets(self, other: Block) -> bool:
        """Whether both live at some step."""
        return self.first <= other.last and other.first <= self.last

    def all_extents(self) -> tuple[Extent, ...]:
        """The extents; one where all bytes are needed all the time."""
        return self.extents or (Extent(0, self.size_bytes, self.first, self.last),)

    def bytes_at(self, step: int) -> int:
        """How many of them are needed at a step of its life."""
        if not self.extents:
            return self.size_bytes
        return next(own.size_bytes for own in self.extents if own.first <= step <= own.last)

    def apart(self, other: Block) -> int:
        """How far another that it meets begins above it at least for none of its bytes to lie at or below any that
        this one needs at the same time."""
        return max(
            (
                own.end - others.offset
                for own in self.all_extents()
                for others in other.all_extents()
                if own.first <= others.last and others.first <= own.last and own.size_bytes and others.size_bytes
            ),
            default=-other.size_bytes,
        )


Over = Mapping[tuple[int, int], int]
"""Blocks (i, j) that may overlap although they meet, and by how many bytes j lies above i then at least: offset_j -
offset_i >= over[(i, j)]. At 0 or less j lies at i, or so much below it at most."""

NOTHING_OVER: Over = {}

Distances = Sequence[Mapping[int, tuple[int, int]]]
"""For each block i the others j that may overlap it: how far j lies above i at least, or else how far below it."""


def distances(blocks: Sequence[Block], over: Over) -> Distances:
    """What `over` says of the blocks that meet, rounded up so that all that is aligned stays so."""
    found: list[dict[int, tuple[int, int]]] = [{} for _ in blocks]
    changing = [i for i, block in enumerate(blocks) if block.extents]
    others = meeting(blocks) if changing else []
    for i, j in chain(over, ((own, other) for own in changing for other in sorted(others[own]))):
        if j not in found[i] and blocks[i].meets(blocks[j]):
            above, below = (
                min(aligned(over.get((a, b), blocks[a].size_bytes)), blocks[a].apart(blocks[b]))
                for a, b in ((i, j), (j, i))
            )
            found[i][j] = above, below
            found[j][i] = below, above
    return found


def meeting(blocks: Sequence[Block]) -> list[set[int]]:
    """For each block the others that live at some step with it; work is theirs, not the square of all."""
    others: list[set[int]] = [set() for _ in blocks]
    first, last = [b.first for b in blocks], [b.last for b in blocks]
    alive: list[int] = []
    for i in sorted(range(len(blocks)), key=first.__getitem__):
        begin = first[i]
        alive = [j for j in alive if last[j] >= begin]
        others[i].update(alive)
        for j in alive:
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


def lower_bound(blocks: Sequence[Block], over: Over = NOTHING_OVER, near: Distances | None = None) -> int:
    """Bytes that any layout takes: the most alive at one step, of which some have some bytes in common. `near` are the
    distances of these, where they are known."""
    near = distances(blocks, over) if near is None else near
    overlapping = {i for pair in over for i in pair if near[pair[0]].get(pair[1])}
    common = {pair: n for pair, n in common_bytes(blocks, near).items() if pair in over or pair[::-1] in over}
    alone = live_bytes(
        (own.size_bytes, own.first, own.last)
        for i, block in enumerate(blocks)
        if i not in overlapping
        for own in block.all_extents()
    )
    bound = max(alone.values(), default=0)
    together = sorted(overlapping)
    # The most is alive where something begins.
    for step in {own.first for b in blocks for own in b.all_extents()} if together else ():
        sizes = {i: blocks[i].bytes_at(step) for i in together if blocks[i].first <= step <= blocks[i].last}
        bound = max(bound, alone.get(step, 0) + _union_bytes(sizes, common))
    return bound


def _union_bytes(sizes: Mapping[int, int], common: Mapping[tuple[int, int], int]) -> int:
    """Bytes of blocks of such sizes together at least: those of any choice of them, less what its pairs have in
    common."""
    left = dict(sizes)
    pairs = {pair: n for pair, n in common.items() if pair[0] in left and pair[1] in left}
    for (i, j), n in pairs.items():
        left[i] -= n
        left[j] -= n
    chosen = set(sizes)
    while chosen and min(left[i] for i in chosen) < 0:  # more is lost with it than it has itself
        worst = min(chosen, key=lambda i: (left[i], i))
        chosen.remove(worst)
        for pair, n in pairs.items():
            if worst in pair:
                left[sum(pair) - worst] += n
    shared = sum(n for (i, j), n in pairs.items() if i in chosen and j in chosen)
    return sum(sizes[i] for i in chosen) - shared
