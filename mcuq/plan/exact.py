"""The least layout of a few dozen blocks: branch and bound, as long as its nodes last.

Blocks are placed in the order of their offsets, each on those below it. In the least of all layouts (the one whose
offsets have the least sum) every block rests on another or on the ground, so that each partial layout leaves one place
for each block: the highest end of what it meets. One is given up where
- the bytes left at some step do not fit above the lowest place that any of their blocks has,
- a block is placed so high that another one fits below it, which could as well have come first,
- two like blocks, or two that do not meet, come in the other order.
What is left is often several parts that no longer meet, each searched on its own: where one has no layout, no other
choice in its neighbours helps. All of it is integers and depends on nothing else, so that layouts are the same
everywhere; nodes are counted, not seconds.

Blocks that may overlap make distances that are 0 or negative. Measured to a point inside each block instead of to its
start, they are all above 0, and everything above holds; where there are no such points nothing is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mcuq.graph.liveness import ALIGNMENT
from mcuq.plan.blocks import Block, Distances, common_bytes, end_of

NODES_OF_A_TRY = 500


def least(
    blocks: Sequence[Block], others: Sequence[set[int]], near: Distances, known: list[int], bound: int, nodes: int
) -> tuple[list[int], int]:
    """The least layout, `known` if there is no better one, and what any layout takes: its bytes if the search was
    finished, between them and `bound` if the nodes were used up."""
    best = known
    all_points = _points(blocks, others, near)
    for points in all_points:
        search = _Search(blocks, others, near, points, nodes // len(all_points))
        best, bound = search.least(best, bound)
    return best, bound


class _NoNodesLeft(Exception):
    pass


@dataclass(frozen=True)
class _Part:
    """Blocks `todo`, those that begin first first, that are placed apart from all others that are left, at `floor` and
    above, after block `last`, and the parts that come later.

    Choices from number `split` on were made since it became a part, its own are from `start`.
    """

    todo: list[int]
    floor: int
    last: int
    split: int
    start: int
    later: _Part | None


@dataclass(frozen=True)
class _Choice:
    """Offsets and the blocks to place there next, the best last, when as many as `placed` are placed."""

    options: list[tuple[int, int]]
    placed: int
    part: _Part


class _Search:
    """Offsets are those of the blocks' points, all in parts of a byte as `_points` counts them."""

    def __init__(
        self,
        blocks: Sequence[Block],
        others: Sequence[set[int]],
        near: Distances,
        points: tuple[int, list[int]],
        nodes: int,
    ) -> None:
        self.nodes = nodes  # that are left
        self._blocks = blocks
        self._scale, self._point = points
        self._size = [self._scale * b.size_bytes for b in blocks]
        self._above = [
            {
                j: self._scale * near[i].get(j, (blocks[i].size_bytes, 0))[0] + self._point[j] - self._point[i]
                for j in sorted(others[i])
                if sum(near[i].get(j, (1, 0))) > 0
            }
            for i in range(len(blocks))
        ]  # how far j lies above i at least
        self._room = [max(above.values(), default=1) for above in self._above]
        self._steps = steps_of(blocks)
        self._steps_of: list[list[int]] = [[] for _ in blocks]
        for step, alive in enumerate(self._steps):
            for i in alive:
                self._steps_of[i].append(step)
        self._alive = [sum(1 << step for step in own) for own in self._steps_of]
        self._common: list[dict[int, int]] = [{} for _ in blocks]
        for (i, j), n in common_bytes(blocks, near).items():
            self._common[i][j] = self._common[j][i] = self._scale * n
        self._left = [
            sum(self._size[i] - sum(n for j, n in self._common[i].items() if j in alive and j < i) for i in alive)
            for alive in self._steps
        ]  # bytes at each step that are not placed yet
        self._like = _like(blocks, near)
        self._orders = _orders(blocks)
        self._rank = self._orders[0]
        self._lowest = list(self._point)
        self._offset = [-1] * len(blocks)
        self._placed: list[tuple[int, list[tuple[int, int]]]] = []

    def least(self, known: list[int], bound: int) -> tuple[list[int], int]:
        """As the function."""
        best, end = known, end_of(self._blocks, known)
        hopeful = capacity = bound  # there is no layout below `bound`, and none was found below `hopeful`
        while hopeful < end and self.nodes > 1:
            try:
                found = self.within(capacity, self.nodes // 2)
            except _NoNodesLeft:
                hopeful = capacity + ALIGNMENT
            else:
                if found is not None:
                    best, end = found, end_of(self._blocks, found)
                else:
                    bound, hopeful = capacity + ALIGNMENT if hopeful == bound else bound, capacity + ALIGNMENT
            capacity = (hopeful + end - ALIGNMENT) // 2 // ALIGNMENT * ALIGNMENT
        return best, bound

    def within(self, capacity_bytes: int, nodes: int) -> list[int] | None:
        """Offsets of a layout that takes no more, None where there is none. Raises _NoNodesLeft.

        Which of several blocks comes first decides how soon a layout is found: each order is tried for a while, and
        then for longer.
        """
        tries = NODES_OF_A_TRY
        end = self.nodes - nodes
        while True:
            for order in self._orders:
                self._rank = order
                last_of_try = max(end, self.nodes - tries)
                found, is_done = self._try(capacity_bytes * self._scale, last_of_try)
                if is_done:
                    return found
                if self.nodes <= end:
                    raise _NoNodesLeft
            tries *= 2

    def _try(self, capacity: int, nodes_after: int) -> tuple[list[int] | None, bool]:
        """The same in one order, and whether the search was finished with so many nodes left."""
        self._rewind(0)
        choices: list[_Choice] = []
        begin = [b.first for b in self._blocks]
        todo = sorted(range(len(begin)), key=begin.__getitem__)
        part = self._next(_Part(todo, 0, -1, 0, 0, None), 0)
        while part is not None:
            choices.append(_Choice(self._options(part, capacity), len(self._placed), part))
            while choices and not choices[-1].options:
                failed = choices.pop().part
                if len(choices) == failed.start:  # its own choices are used up; those of the parts before do not help
                    del choices[failed.split :]
            if not choices:
                return None, True
            here = choices[-1].part
            self._rewind(choices[-1].placed)
            offset, i = choices[-1].options.pop()
            if self.nodes <= nodes_after:
                return None, False
            self.nodes -= 1
            self._put(i, offset)
            todo = [j for j in here.todo if j != i]
            part = self._next(_Part(todo, offset, i, here.split, here.start, here.later), len(choices))
        return [(at - point) // self._scale for at, point in zip(self._offset, self._point, strict=True)], True

    def _next(self, part: _Part, choices: int) -> _Part | None:
        """The part, or the first of those that it falls into, or a later one if nothing is left of it."""
        groups: list[list[int]] = []
        until = -1
        for i in part.todo:
            block = self._blocks[i]
            if not groups or block.first > until:
                groups.append([])
            groups[-1].append(i)
            if block.last > until:
                until = block.last
        if len(groups) == 1:
            return part
        later = part.later
        for todo in groups:
            later = _Part(todo, part.floor, -1, choices, choices, later)
        return later and replace(later, start=choices)

    def _options(self, part: _Part, capacity: int) -> list[tuple[int, int]]:
        """Offsets of blocks that may come next, none where the capacity does not do."""
        lowest, floor = self._lowest, part.floor
        starts = [((lowest[i] if lowest[i] > floor else floor) - self._point[i], i) for i in part.todo]
        if any(start + self._size[i] > capacity for start, i in starts):
            return []
        seen = 0  # steps, as bits
        for start, i in sorted(starts):  # the first that is alive at a step is the ground there
            new = self._alive[i] & ~seen
            seen |= new
            while new:
                step = new & -new
                if start + self._left[step.bit_length() - 1] > capacity:
                    return []
                new ^= step
        ceiling = min([lowest[i] + self._room[i] for i in part.todo])
        options = [
            (lowest[i], self._rank[i], i)
            for i in part.todo
            if floor <= lowest[i] < ceiling and (self._like[i] < 0 or self._offset[self._like[i]] >= 0)
        ]
        if part.last >= 0:  # what could have come before it, at the same offset, did not
            apart = self._above[part.last]
            options = [o for o in options if o[0] > part.floor or o[2] > part.last or o[2] in apart]
        return [(at, i) for at, _, i in sorted(options, reverse=True)]

    def _put(self, i: int, offset: int) -> None:
        raised = []
        self._offset[i] = offset
        for j, above in self._above[i].items():
            if self._offset[j] < 0 and self._lowest[j] < offset + above:
                raised.append((j, self._lowest[j]))
                self._lowest[j] = offset + above
        self._placed.append((i, raised))
        self._take_from_left(i, 1)

    def _rewind(self, placed: int) -> None:
        while len(self._placed) > placed:
            i, raised = self._placed.pop()
            self._take_from_left(i, -1)
            for j, lowest in raised:
                self._lowest[j] = lowest
            self._offset[i] = -1

    def _take_from_left(self, i: int, sign: int) -> None:
        for step in self._steps_of[i]:
            self._left[step] -= sign * self._size[i]
        for j, n in self._common[i].items():
            if self._offset[j] < 0:
                for step in self._common_steps(i, j):
                    self._left[step] += sign * n

    def _common_steps(self, i: int, j: int) -> range:
        """Steps at which both are alive: those of a block are consecutive."""
        a, b = self._steps_of[i], self._steps_of[j]
        return range(max(a[0], b[0]), min(a[-1], b[-1]) + 1)


def _points(blocks: Sequence[Block], others: Sequence[set[int]], near: Distances) -> list[tuple[int, list[int]]]:
    """Parts of a byte and, in these, a point of each block so that from point to point all distances are above 0.

    Points may be moved up in what lies below, or down in what lies above: each finds layouts that the other does not.
    """
    if not any(near):
        return [(1, [0] * len(blocks))]
    scale = len(blocks) + 1  # as many differences of 1 as there are blocks are no byte
    distances = {
        (i, j): scale * near[i].get(j, (blocks[i].size_bytes, 0))[0]
        for i in range(len(blocks))
        for j in others[i]
        if sum(near[i].get(j, (1, 0))) > 0  # else they may lie as they like
    }
    up, down = [0] * len(blocks), [0] * len(blocks)
    for _ in range(len(blocks) + 1):
        is_done = True
        for (i, j), above in distances.items():
            if up[j] < up[i] - above + 1:
                up[j] = up[i] - above + 1
                is_done = False
            if down[i] > down[j] + above - 1:
                down[i] = down[j] + above - 1
                is_done = False
        if is_done:
            return [(scale, up), (scale, [point - min(down) for point in down])]
    return []


def steps_of(blocks: Sequence[Block]) -> list[list[int]]:
    """The blocks alive at each step at which no more are so before and after."""
    found: list[list[int]] = []
    for step in sorted({b.first for b in blocks}):
        alive = [i for i, b in enumerate(blocks) if b.first <= step <= b.last]
        if found and set(found[-1]) <= set(alive):
            found.pop()
        if not found or not set(alive) <= set(found[-1]):
            found.append(alive)
    return found


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    """For each of some orders of blocks their places in it."""
    keys: list[Callable[[Block], tuple[int, ...]]] = [
        lambda b: (-b.size_bytes * (b.last - b.first + 1),),
        lambda b: (b.first - b.last, -b.size_bytes),
        lambda b: (-b.size_bytes,),
        lambda b: (b.size_bytes,),
    ]
    orders = [sorted(range(len(blocks)), key=lambda i: key(blocks[i])) for key in keys]
    return [[place for _, place in sorted(zip(order, range(len(order)), strict=True))] for order in orders]


def _like(blocks: Sequence[Block], near: Distances) -> list[int]:
    """For each block the one before it that it could change places with, -1 for none."""
    before: dict[Block, int] = {}
    found = [-1] * len(blocks)
    for i, block in enumerate(blocks):
        if not near[i]:
            found[i] = before.get(block, -1)
            before[block] = i
    return found
