"""An arena in several memories: which block lies where, so that all fit, and what is used most in the fastest."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcuq.plan.blocks import Block, Over, lower_bound
from mcuq.plan.layout import Layout, lay_out, lay_out_quickly

TRIED = 400  # blocks, in all orders that are made up


@dataclass(frozen=True)
class SplitLayout:
    """A layout of all blocks, as if the parts of the arena lay one behind the other; `sizes` are those of the parts,
    one a room, 0 where nothing lies in it."""

    layout: Layout
    sizes: tuple[int, ...]


def split(blocks: Sequence[Block], over: Over, uses: Sequence[int], rooms: Sequence[int]) -> SplitLayout | None:
    """A layout whose parts take at most the bytes of `rooms`, the fastest first; None where none is found.

    `uses` are how often bytes of each block are read and written: those blocks that are used most for their size come
    first. No block lies in two rooms, and what may lie over another need not: it may be elsewhere.
    """
    packing = _Packing(blocks, over, rooms)
    if lower_bound(blocks, over) > sum(rooms) or max(block.size_bytes for block in blocks) > max(rooms):
        return None
    by_use = sorted(range(len(blocks)), key=lambda i: (-uses[i] / max(1, blocks[i].size_bytes), i))
    for order in _orders(blocks, by_use):
        found = packing.fill(order)
        if found is not None:
            return packing.laid_out(packing.improved(found, by_use))
    return None


def _orders(blocks: Sequence[Block], by_use: list[int]) -> Iterator[list[int]]:
    """The orders in which blocks choose their rooms."""
    yield by_use
    yield sorted(by_use, key=lambda i: -blocks[i].size_bytes)
    yield sorted(by_use, key=lambda i: -blocks[i].size_bytes * (blocks[i].last - blocks[i].first + 1))
    rng = random.Random(0)
    for _ in range(TRIED // len(by_use)):
        order = list(by_use)
        rng.shuffle(order)
        yield order


class _Packing:
    """Blocks in rooms: `chosen` are the numbers of those in each."""

    def __init__(self, blocks: Sequence[Block], over: Over, rooms: Sequence[int]) -> None:
        self._blocks = blocks
        self._over = over
        self._rooms = rooms

    def fill(self, order: Sequence[int]) -> list[list[int]] | None:
        """Each block in the first room where there is place."""
        chosen: list[list[int]] = [[] for _ in self._rooms]
        for i in order:
            for room, held in enumerate(chosen):
                if self._fits(room, [*held, i]):
                    held.append(i)
                    break
            else:
                return None
        return chosen

    def improved(self, chosen: list[list[int]], by_use: Sequence[int]) -> list[list[int]]:
        """The blocks that are used most moved to faster rooms, where there is place."""
        room_of = {i: room for room, held in enumerate(chosen) for i in held}
        for i in by_use:
            for room in range(room_of[i]):
                if self._fits(room, [*chosen[room], i]):
                    chosen[room_of[i]].remove(i)
                    chosen[room].append(i)
                    room_of[i] = room
                    break
        return chosen

    def laid_out(self, chosen: Sequence[Sequence[int]]) -> SplitLayout:
        """The best layout of each room that is found."""
        offsets = [0] * len(self._blocks)
        sizes, start = [], 0
        for held in map(sorted, chosen):
            layout = lay_out([self._blocks[i] for i in held], self._over_of(held))
            for i, offset in zip(held, layout.offsets, strict=True):
                offsets[i] = start + offset
            sizes.append(layout.size_bytes)
            start += layout.size_bytes
        least = lower_bound(self._blocks, self._over)
        return SplitLayout(Layout(tuple(offsets), start, least), tuple(sizes))

    def _fits(self, room: int, held: list[int]) -> bool:
        held = sorted(held)
        own = [self._blocks[i] for i in held]
        if own and max(block.size_bytes for block in own) > self._rooms[room]:
            return False
        if sum(block.size_bytes for block in own) <= self._rooms[room]:
            return True
        return lay_out_quickly(own, self._over_of(held)).size_bytes <= self._rooms[room]

    def _over_of(self, held: Sequence[int]) -> Over:
        number = {i: n for n, i in enumerate(held)}
        return {(number[i], number[j]): n for (i, j), n in self._over.items() if i in number and j in number}
