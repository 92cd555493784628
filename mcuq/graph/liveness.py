"""Which tensors of a graph share memory, and when each is alive: the layers in order are its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from mcuq.graph.ir import Graph

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

    @property
    def life(self) -> tuple[int, int, int]:
        """(bytes, rounded up, first step, last step)."""
        return (aligned(self.size_bytes), self.first, self.last)


def aligned(size_bytes: int) -> int:
    """The size rounded up so that what follows is aligned."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def live_bytes(lives: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    """Bytes alive during each step, of memory (bytes, first step, last step): from the first of all to the last."""
    changes = Counter[int]()
    for size_bytes, first, last in lives:
        changes[first] += size_bytes
        changes[last + 1] -= size_bytes
    steps = range(min(changes, default=0), max(changes, default=0))
    return dict(zip(steps, accumulate(changes[step] for step in steps), strict=True))


def storages_of(graph: Graph) -> list[Storage]:
    """What memory the graph's inputs, outputs and intermediates need, and when; without offsets.

    Views share their source's storage; an element-by-element layer takes over that of an input which nobody
    reads later, if it has the same size and is not an input of the model (the caller's own memory may be
    behind that).
    """
    layers = list(graph.layers())
    last_use = {t.name: index for index, layer in enumerate(layers) for t in layer.inputs}
    for name in graph.outputs:
        last_use[name] = len(layers)
    groups: list[list[str]] = []
    group_of: dict[str, list[str]] = {}
    first = dict.fromkeys(graph.inputs, -1)
    last: dict[str, int] = {}  # of a group, by its first tensor

    def new_group(name: str) -> None:
        group_of[name] = [name]
        groups.append(group_of[name])
        last[name] = last_use.get(name, first[name])

    def join(name: str, source: str) -> None:
        group = group_of[name] = group_of[source]
        group.append(name)
        last[group[0]] = max(last[group[0]], last_use.get(name, first[name]))

    for name in graph.inputs:
        new_group(name)
    for index, layer in enumerate(layers):
        name = layer.output.name
        first[name] = index
        if layer.op.is_view:
            join(name, layer.inputs[0].name)
            continue
        for i in layer.op.in_place(layer):
            source = layer.inputs[i]
            oldest = group_of[source.name][0]
            is_input = first[oldest] < 0
            if last[oldest] == index and not is_input and source.size_bytes == layer.output.size_bytes:
                join(name, source.name)
                break
        else:
            new_group(name)
    return [
        Storage(
            tuple(group),
            max(graph.tensors[name].size_bytes for name in group),
            first[group[0]],
            last[group[0]],
        )
        for group in groups
    ]
