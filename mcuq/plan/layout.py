"""Where blocks of memory lie that live for a while: those that live at one time must not overlap.

The problem is NP-hard (dynamic storage allocation). A good layout is found at once, the least of up to some dozens of
blocks by a search, whose end depends on nothing but the blocks; how far from the least a layout may be is always told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.lower import Solver
from mcuq.plan.blocks import NOTHING_OVER, Block, Over, distances, end_of, lower_bound, meeting
from mcuq.plan.cp_sat import check_installed, solve
from mcuq.plan.exact import least, steps_of
from mcuq.plan.first_fit import fit_all

__all__ = ["Block", "Layout", "Over", "lay_out", "lay_out_quickly", "lower_bound", "place"]

SEARCH_ROUNDS = 300
# What is spent on blocks that need it, over their number: about two seconds each.
MORE_ROUNDS = 300_000
SEARCH_NODES = 1_600_000
STEPS_OF_A_PART = (1, 2, 4, 8)
NODES_OF_A_PART = 20_000
MOST_SEARCHED = 100  # blocks; of more, so few nodes are hardly one layout


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes, one a block, the end of the last, and what any layout takes at least."""

    offsets: tuple[int, ...]
    size_bytes: int
    least_bytes: int

    @property
    def is_least(self) -> bool:
        """Whether no layout is smaller."""
        return self.size_bytes == self.least_bytes


def place(blocks: Sequence[Block], over: Over = NOTHING_OVER) -> list[int]:
    """The offsets of `lay_out`."""
    return list(lay_out(blocks, over).offsets)


def lay_out_quickly(blocks: Sequence[Block], over: Over = NOTHING_OVER) -> Layout:
    """As `lay_out`, without a search: for comparing many choices."""
    near = distances(blocks, over)
    bound = lower_bound(blocks, over, near)
    offsets, end = fit_all(blocks, meeting(blocks), near, bound, rounds=0)
    return Layout(tuple(offsets), end, bound)


def lay_out(blocks: Sequence[Block], over: Over = NOTHING_OVER, effort: int = 1, solver: Solver = "search") -> Layout:
    """A layout with a small end; `effort` is how many times as long may be searched for it, and the `solver` cp-sat
    goes on where the search leaves a gap. Raises ModelError where that is not installed.

    Blocks i and j that meet lie apart, or `over` says by how many bytes j must lie above i (0 or less: at it, or at
    most so much below it): offset_j - offset_i >= over[(i, j)]; so an output lies over rows of its input that are used
    up.
    """
    if solver == "cp-sat":
        check_installed()
    near, others = distances(blocks, over), meeting(blocks)
    bound = lower_bound(blocks, over, near)
    offsets, end = fit_all(blocks, others, near, bound, SEARCH_ROUNDS)
    if end > bound and len(blocks) <= MOST_SEARCHED:
        bound = _bound_of_parts(blocks, over, end, bound)
    if end > bound and len(blocks) <= MOST_SEARCHED:
        offsets, bound = least(blocks, others, near, offsets, bound, effort * SEARCH_NODES // len(blocks))
        end = end_of(blocks, offsets)
    if end > bound:
        more, less = fit_all(blocks, others, near, bound, effort * MORE_ROUNDS // len(blocks))
        offsets = more if less < end else offsets
        end = end_of(blocks, offsets)
    if end > bound and solver == "cp-sat":
        offsets, bound = solve(blocks, near, offsets, end, bound, effort)
    return Layout(tuple(offsets), end_of(blocks, offsets), bound)


def _bound_of_parts(blocks: Sequence[Block], over: Over, end: int, bound: int) -> int:
    """What any layout takes at least, as those take that live during a few steps: their least layout is soon found."""
    steps = steps_of(blocks)
    for count in STEPS_OF_A_PART:
        for first in range(len(steps) - count + 1):
            chosen = sorted(set().union(*steps[first : first + count]))
            number = {i: n for n, i in enumerate(chosen)}
            part = [blocks[i] for i in chosen]
            part_over = {(number[i], number[j]): n for (i, j), n in over.items() if i in number and j in number}
            near, others = distances(part, part_over), meeting(part)
            offsets, part_end = fit_all(part, others, near, bound, 0)
            if part_end > bound:
                _, bound = least(part, others, near, offsets, bound, NODES_OF_A_PART // len(part))
            if bound == end:
                return bound
    return bound
