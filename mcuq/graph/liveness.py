"""Which tensors of a graph share memory, and when each is alive: the layers in order are its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def aligned(size_bytes: int) -> int:
    """The size rounded up so that what follows is aligned."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def live_bytes(storages: Sequence[Storage], step: int) -> int:
    """Bytes of all tensors alive during a step."""
    return sum(aligned(s.size_bytes) for s in storages if s.first <= step <= s.last)


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

    def new_group(name: str) -> None:
        group_of[name] = [name]
        groups.append(group_of[name])

    def join(name: str, source: str) -> None:
        group_of[name] = group_of[source]
        group_of[name].append(name)

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
