"""What lies where in the arena, and when: for pictures of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcuq.graph.ir import Graph
from mcuq.graph.liveness import Storage
from mcuq.lower import Program
from mcuq.plan.memory import Plan
from mcuq.plan.steps import STATE_BYTES

KINDS = ("input", "output", "tensor", "rows", "scratch")


@dataclass(frozen=True)
class Box:
    """Bytes of the arena from step `first` to step `last`, both included (-1: before the first step; the number of
    steps: after the last).

    `kind` is one of KINDS; rows are of a tensor of which there are never all.
    """

    name: str
    kind: str
    offset: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class MapStep:
    """A layer, and what operator it is."""

    name: str
    operator: str


@dataclass(frozen=True)
class ArenaMap:
    """The boxes, the steps, the bytes of the arena, and those that no plan of these steps is below.

    Boxes may overlap, as an output does that is written over rows of its input that are used up.
    """

    boxes: tuple[Box, ...] = ()
    steps: tuple[MapStep, ...] = ()
    size_bytes: int = 0
    least_bytes: int = 0

    def alive(self, step: int) -> list[Box]:
        """The boxes of a step, from the start of the arena on."""
        return sorted((b for b in self.boxes if b.first <= step <= b.last), key=lambda b: (b.offset, -b.size_bytes))

    def used_bytes(self, step: int) -> int:
        """Bytes that are in use during a step, those of several boxes counted once."""
        used = end = 0
        for box in self.alive(step):
            used += max(0, box.offset + box.size_bytes - max(end, box.offset))
            end = max(end, box.offset + box.size_bytes)
        return used

    @property
    def peak(self) -> int:
        """The first of the steps that use the most bytes."""
        return max(range(-1, len(self.steps) + 1), key=self.used_bytes)

    def label(self, step: int) -> str:
        """The number of a step and its operator, in a few letters."""
        if step < 0:
            return "input"
        return f"{step} {self.steps[step].operator}" if step < len(self.steps) else "output"

    @property
    def least_text(self) -> str:
        """What is known of smaller arenas."""
        if self.size_bytes == self.least_bytes:
            return "the least possible for this order"
        return f"possible for this order: {self.least_bytes:,} or more"


NO_MAP = ArenaMap()


def map_arena(program: Program, plan: Plan) -> ArenaMap:
    """What a plan says, as boxes: those of tensors at one place have the name of the one that is computed first there.
    All that a segment needs lives as long as it runs."""
    graph = program.graph
    boxes = []
    first, last = list(range(-1, len(program.steps) + 1)), list(range(-1, len(program.steps) + 1))
    for placed in plan.segments:
        segment = placed.segment
        for index in range(segment.first, segment.last + 1):
            first[index + 1], last[index + 1] = segment.first, segment.last
        held = [(name, "rows", placed.rings[name], size_bytes) for name, size_bytes in segment.ring_bytes.items()]
        held += [(name, "scratch", placed.sums[name], size_bytes) for name, size_bytes in segment.sums_bytes.items()]
        boxes += [Box(name, kind, at, size, segment.first, segment.last) for name, kind, at, size in held]
        ends = (-1, len(program.steps)) if segment.is_pushed else (segment.first, segment.last)
        boxes.append(Box("rows made", "scratch", placed.state, segment.state_bytes, *ends))
    if plan.steps is not None:
        boxes.append(Box("steps done", "scratch", plan.steps.state, STATE_BYTES, -1, len(program.steps)))
    for storage in plan.storages:
        for names, offset, size_bytes, since, until in _uses(storage, graph):
            kind = "tensor"
            if not set(graph.outputs).isdisjoint(names):
                kind = "output"
            if not set(graph.inputs).isdisjoint(names):
                kind = "input"
            boxes.append(Box(names[0], kind, offset, size_bytes, first[since + 1], last[until + 1]))
    segments = [placed.segment for placed in plan.segments]
    folds = {part[0] for own in segments for stage, part in zip(own.stages, own.parts, strict=True) if stage.folds}
    for index, offset in plan.scratch.items():
        step = program.steps[index]
        if index in folds:
            continue
        boxes.append(Box(step.layer.name, "scratch", offset, step.scratch_bytes, index, index))
    steps = tuple(MapStep(step.layer.name, type(step.layer.op).__name__) for step in program.steps)
    return ArenaMap(tuple(boxes), steps, plan.arena_bytes, plan.least_bytes)


def _uses(storage: Storage, graph: Graph) -> Iterator[tuple[tuple[str, ...], int, int, int, int]]:
    """Tensors that lie in the same bytes of a storage, where these begin, how many, and from when to when."""
    if not storage.lives:
        yield storage.tensors, storage.offset, storage.size_bytes, storage.first, storage.last
        return
    uses: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
    for name, life in zip(storage.tensors, storage.lives, strict=True):
        uses.setdefault((storage.offset_of(name), graph.tensors[name].size_bytes), []).append((name, *life))
    for (offset, size_bytes), own in uses.items():
        names, since, until = zip(*own, strict=True)
        yield names, offset, size_bytes, min(since), max(until)
