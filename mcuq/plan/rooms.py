"""The memories of a board as an arena sees them: rooms for its parts."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.boards.facts import Board
from mcuq.errors import BoardError, did_you_mean
from mcuq.graph.liveness import ALIGNMENT
from mcuq.lower.memories import RamUse
from mcuq.plan.arena_part import Room
from mcuq.plan.fit import STACK_BYTES


def rooms_of(board: Board, uses: Sequence[RamUse] = ()) -> tuple[Room, ...]:
    """The board's memories, the fastest first, or those that are to be used; stack is kept free in the main one.

    Raises BoardError for one that the board does not have.
    """
    if board.memory is None:
        if uses:
            raise BoardError(f"memory '{uses[0].memory}': board '{board.name}' names no memories; leave out --memory")
        return ()
    rams = {ram.name: ram for ram in board.memory.rams}
    most = {use.memory: use.most_bytes for use in uses}
    for name in most:
        if name not in rams:
            raise BoardError(
                f"memory '{name}': board '{board.name}' has {', '.join(rams)}; another is named in a board file of "
                f"your own, below [memory.more]{did_you_mean(name, rams)}"
            )
    rooms = []
    for ram in board.memory.rams:
        if uses and ram.name not in most:
            continue
        is_main = ram.name == board.memory.ram_name
        free = ram.size_bytes - (STACK_BYTES if is_main else 0)
        bound = most.get(ram.name)
        free = free if bound is None else min(free, bound)
        rooms.append(Room("" if is_main else ram.name, ram.name, max(0, free) // ALIGNMENT * ALIGNMENT))
    return tuple(rooms)
