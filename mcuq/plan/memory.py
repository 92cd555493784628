"""Which tensors share memory, when each is alive, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.lower import Program
from mcuq.plan.layout import Block, place

ALIGNMENT = 4  # bytes: kernels may load whole words


@dataclass(frozen=True)
class Storage:
    """Memory of one tensor, or of several that never hold different values at one time.

    `tensors` in the order in which they are computed; alive from step `first` to step `last`, both included
    (-1: before the first step).
    """

    tensors: tuple[str, ...]
    size_bytes: int
    first: int
    last: int
    offset: int = 0


@dataclass(frozen=True)
class Plan:
    """`storages` hold the graph's inputs, outputs and intermediates; `scratch` is the offset of each step's
    working memory, for steps that have any. All in bytes from the start of the arena."""

    arena_bytes: int
    storages: tuple[Storage, ...]
    scratch: Mapping[int, int]

    def storage_of(self, tensor: str) -> Storage:
        """The storage that holds the tensor."""
        return next(s for s in self.storages if tensor in s.tensors)

    def live_bytes(self, step: int) -> int:
        """Bytes of all tensors alive during a step: no plan of whole tensors needs less at its peak."""
        return sum(aligned(s.size_bytes) for s in self.storages if s.first <= step <= s.last)


def plan_memory(program: Program) -> Plan:
    """Lay out inputs, outputs, intermediates and scratch so that what lives at one time does not overlap.

    Views share their source's storage; an element-by-element layer takes over that of an input which nobody
    reads later, if it has the same size and is not an input of the model (the caller's own memory may be
    behind that).
    """
    storages = _storages(program)
    blocks = [Block(aligned(s.size_bytes), s.first, s.last) for s in storages]
    scratch_steps = [i for i, step in enumerate(program.steps) if step.scratch_bytes]
    blocks += [Block(aligned(program.steps[i].scratch_bytes), i, i) for i in scratch_steps]
    offsets = place(blocks)
    placed = tuple(
        Storage(s.tensors, s.size_bytes, s.first, s.last, offset) for s, offset in zip(storages, offsets, strict=False)
    )
    arena_bytes = max(offset + block.size_bytes for offset, block in zip(offsets, blocks, strict=True))
    return Plan(arena_bytes, placed, dict(zip(scratch_steps, offsets[len(storages) :], strict=True)))


def aligned(size_bytes: int) -> int:
    """The size rounded up so that what follows is aligned."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _storages(program: Program) -> list[Storage]:
    graph = program.graph
    last_use = {name: index for index, step in enumerate(program.steps) for name in (t.name for t in step.layer.inputs)}
    for name in graph.outputs:
        last_use[name] = len(program.steps)
    groups: list[list[str]] = []
    group_of: dict[str, list[str]] = {}
    first = dict.fromkeys(graph.inputs, -1)

    def new_group(name: str) -> None:
        group_of[name] = [name]
        groups.append(group_of[name])

    def join(name: str, source: str) -> None:
        group_of[name] = group_of[source]
        group_of[name].append(name)

    for name in graph.inputs:
        new_group(name)
    for index, step in enumerate(program.steps):
        layer, name = step.layer, step.layer.output.name
        first[name] = index
        if layer.op.is_view:
            join(name, layer.inputs[0].name)
            continue
        for i in layer.op.in_place(layer):
            source = layer.inputs[i]
            group = group_of[source.name]
            ends = max(last_use.get(member, first[member]) for member in group)
            is_input = group[0] in graph.inputs
            if ends == index and not is_input and source.size_bytes == layer.output.size_bytes:
                join(name, source.name)
                break
        else:
            new_group(name)
    return [
        Storage(
            tuple(group),
            max(graph.tensors[name].size_bytes for name in group),
            min(first[name] for name in group),
            max(last_use.get(name, first[name]) for name in group),
        )
        for group in groups
    ]
