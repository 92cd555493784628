"""The arena over time, for a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mcuq.cli.table import Column, Row, table_lines
from mcuq.plan.arena_map import KINDS, ArenaMap, Box

MAP_COLUMNS = 40
# Neighbours among tensors are told apart by two signs.
_SIGNS = {"input": "ii", "output": "oo", "tensor": "#+", "rows": "=-", "scratch": "~~"}
_MEANINGS = {
    "ii": "i input",
    "oo": "o output",
    "#+": "# + tensors",
    "=-": "= - rows",
    "~~": "~ scratch",
}
_OVERLAP, _FREE = "%", "."


def arena_json(arena: ArenaMap) -> dict[str, Any]:
    """Boxes and steps; `peak_step` is the index of a step, -1 before the first."""
    steps = [
        {"name": step.name, "operator": step.operator, "bytes": arena.used_bytes(i)}
        for i, step in enumerate(arena.steps)
    ]
    boxes = [
        {
            "name": box.name,
            "kind": box.kind,
            "offset": box.offset,
            "bytes": box.size_bytes,
            "first_step": box.first,
            "last_step": box.last,
        }
        for box in arena.boxes
    ]
    return {
        "arena_bytes": arena.size_bytes,
        "least_arena_bytes": arena.least_bytes,
        "peak_step": arena.peak,
        "peak_bytes": arena.used_bytes(arena.peak),
        "steps": steps,
        "boxes": boxes,
    }


def arena_lines(arena: ArenaMap, width: int) -> Iterator[str]:
    """A line a step, the start of the arena on the left."""
    yield f"arena {arena.size_bytes:,} bytes, {arena.least_text}"
    peak = arena.peak
    counts = Counter[str]()
    signs = {}
    for box in sorted(arena.boxes, key=lambda b: b.first):
        signs[box] = _SIGNS[box.kind][counts[box.kind] % 2]
        counts[box.kind] += 1
    rows = [
        Row(
            arena.label(step),
            (_strip(arena, step, signs), f"{arena.used_bytes(step):,}", "<- peak" if step == peak else ""),
        )
        for step in range(-1, len(arena.steps) + 1)
    ]
    columns = [Column(f"0 to {arena.size_bytes:,}", 0, False), Column("bytes"), Column("", 0, False)]
    yield from table_lines("step", columns, rows, width)
    meanings = [_MEANINGS[_SIGNS[kind]] for kind in KINDS if counts[kind]]
    yield f"  {', '.join(meanings)}, {_OVERLAP} overlap, {_FREE} free"


def _unit(arena: ArenaMap) -> float:
    return max(1, arena.size_bytes) / MAP_COLUMNS


def _strip(arena: ArenaMap, step: int, signs: dict[Box, str]) -> str:
    """For each part of the arena the sign of what has the most bytes there."""
    unit, alive = _unit(arena), arena.alive(step)
    strip = ""
    for column in range(MAP_COLUMNS):
        start, end = column * unit, (column + 1) * unit
        common = {box: min(end, box.offset + box.size_bytes) - max(start, box.offset) for box in alive}
        there = [box for box in alive if common[box] > 0]
        if not there:
            strip += _FREE
        elif sum(common[box] for box in there) > unit + 0.5:  # more than there is room for
            strip += _OVERLAP
        else:
            strip += signs[max(there, key=lambda box: common[box])]
    return strip
