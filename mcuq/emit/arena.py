"""The C of an arena that several models share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcuq.emit.render import environment
from mcuq.version import __version__


@dataclass(frozen=True)
class Sharer:
    """What a shared arena is told of a model that computes in it."""

    name: str
    arena_bytes: int
    stack_bytes: int


def arena_files(arena: str, models: Sequence[Sharer]) -> dict[str, str]:
    """ARENA.c and ARENA.h, of an array that is called so and holds any one of the models at a time."""
    context = {"arena": arena, "ARENA": arena.upper(), "version": __version__, "models": models}
    return {f"{arena}.{kind}": environment().get_template(f"arena.{kind}.j2").render(context) for kind in ("c", "h")}


def arena_names(arena: str) -> set[str]:
    """Lower case C names that the two files define."""
    return {arena.lower(), *(f"{arena}_{part}".lower() for part in ("bytes", "alignment", "section", "stack_bytes"))}
