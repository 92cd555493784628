"""Where the memory of each tensor and of each layer lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mcuq.graph.liveness import Storage, aligned, storages_of
from mcuq.lower import Program
from mcuq.plan.layout import Block, lay_out


@dataclass(frozen=True)
class Plan:
    """`storages` hold the graph's inputs, outputs and intermediates; `scratch` is the offset of each step's
    working memory, for steps that have any. All in bytes from the start of the arena. No plan for these steps in
    this order takes fewer bytes than `least_bytes`."""

    arena_bytes: int
    storages: tuple[Storage, ...]
    scratch: Mapping[int, int]
    least_bytes: int

    def storage_of(self, tensor: str) -> Storage:
        """The storage that holds the tensor."""
        return self._storages_by_tensor[tensor]

    @cached_property
    def _storages_by_tensor(self) -> dict[str, Storage]:
        return {name: s for s in self.storages for name in s.tensors}


def plan_memory(program: Program) -> Plan:
    """Lay out inputs, outputs, intermediates and scratch so that what lives at one time does not overlap.

    Which tensors share memory is `storages_of`.
    """
    storages = storages_of(program.graph)
    blocks = [Block(aligned(s.size_bytes), s.first, s.last) for s in storages]
    scratch_steps = [i for i, step in enumerate(program.steps) if step.scratch_bytes]
    blocks += [Block(aligned(program.steps[i].scratch_bytes), i, i) for i in scratch_steps]
    layout = lay_out(blocks)
    offsets = layout.offsets
    placed = tuple(
        Storage(s.tensors, s.size_bytes, s.first, s.last, offset) for s, offset in zip(storages, offsets, strict=False)
    )
    scratch = dict(zip(scratch_steps, offsets[len(storages) :], strict=True))
    return Plan(layout.size_bytes, placed, scratch, layout.least_bytes)
