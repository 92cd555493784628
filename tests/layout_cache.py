"""Layouts of memory that the tests have searched once are not searched again, of whatever network the blocks are.

What `lay_out` gives depends on nothing but its arguments and the limits of its search, whose digest names what is
remembered. mcuq itself knows nothing of it.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from build_cache import keep, standing_in

import mcuq.plan.buffers
import mcuq.plan.memory
import mcuq.plan.split
from mcuq.lower import Solver
from mcuq.plan import layout
from mcuq.plan.layout import NOTHING_OVER, Block, Layout, Over

_CALLERS = (mcuq.plan.buffers, mcuq.plan.memory, mcuq.plan.split)
_FEW = 8  # blocks, which are searched as soon as read
_LIMITS = ("SEARCH_ROUNDS", "MORE_ROUNDS", "SEARCH_NODES", "NODES_OF_A_PART", "MOST_SEARCHED")


def layouts_in(folder: Path) -> AbstractContextManager[None]:
    """The planner asks the folder first, until the end."""

    def lay_out(
        blocks: Sequence[Block], over: Over = NOTHING_OVER, effort: int = 1, solver: Solver = "search"
    ) -> Layout:
        if len(blocks) < _FEW:
            return layout.lay_out(blocks, over, effort, solver)
        limits = [getattr(layout, name) for name in _LIMITS]
        asked = repr((tuple(blocks), sorted(over.items()), effort, solver, limits))
        kept = folder / f"layout-{hashlib.sha256(asked.encode()).hexdigest()}"
        if not kept.is_file():
            found = layout.lay_out(blocks, over, effort, solver)
            values = pickle.dumps((found.offsets, found.size_bytes, found.least_bytes))
            keep(kept, lambda new: new.write_bytes(values))
        return Layout(*pickle.loads(kept.read_bytes()))

    return standing_in(_CALLERS, "lay_out", lay_out)
