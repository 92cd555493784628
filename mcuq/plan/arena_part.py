"""The parts of an arena that lies in several memories, and the rooms for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """So many bytes, aligned, of a memory that a part of an arena may take. `memory` is its name; "": the board's main
    one, which `called` has a name for too."""

    memory: str
    called: str
    size_bytes: int


@dataclass(frozen=True)
class ArenaPart:
    """`size_bytes` of the arena from `start` on, which are one array; `memory` is where they lie, "" for where arenas
    lie by default."""

    memory: str
    start: int
    size_bytes: int

    @property
    def pointer(self) -> str:
        """What the C calls it; behind the model's name, its own array."""
        return f"arena_{self.memory}" if self.memory else "arena"


def part_at(parts: Sequence[ArenaPart], offset: int) -> ArenaPart:
    """The part in which a place of the arena lies."""
    return max((part for part in parts if part.start <= offset), key=lambda part: part.start)
