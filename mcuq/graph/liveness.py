"""Which tensors of a graph share memory, and when each is alive: the layers in order are its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mcuq.graph.ir import Graph

ALIGNMENT = 4  # bytes: kernels may load whole words
NOWHERE: Mapping[int, int] = {}


@dataclass(frozen=True)
class Storage:
    """Memory of one tensor, or of several that never hold different values at one time.

    `tensors` in the order in which they are computed, each `places` bytes from the storage's own offset (none: all at
    it); alive from step `first` to step `last`, both included (-1: before the first step).
    """

    tensors: tuple[str, ...]
    size_bytes: int
    first: int
    last: int
    offset: int = 0
    places: tuple[int, ...] = ()

    def offset_of(self, tensor: str) -> int:
        """Where the tensor begins, in bytes as `offset` is."""
        return self.offset + (self.places[self.tensors.index(tensor)] if self.places else 0)

    @property
    def life(self) -> tuple[int, int, int]:
        """(bytes, rounded up, first step, last step)."""
        return (aligned(self.size_bytes), self.first, self.last)


def hands_over(x: Storage, y: Storage, step: int) -> bool:
    """Whether a step is the last that needs one storage and the first that needs the other."""
    return x is not y and x.last == y.first == step


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


def storages_of(graph: Graph, below: Mapping[int, int] = NOWHERE, alone: Container[int] = ()) -> list[Storage]:
    """What memory the graph's inputs, outputs and intermediates need, and when; without offsets.

    Views share their source's storage; an element-by-element layer takes over that of an input which nobody
    reads later, if it has the same size and is not an input of the model (the caller's own memory may be
    behind that). So do the layers `below`, each so many bytes below its first computed input, whatever the sizes.
    Outputs of the layers `alone` share nothing with what was there before.
    """
    layers = list(graph.layers())
    last_use = {t.name: index for index, layer in enumerate(layers) for t in layer.inputs}
    for name in graph.outputs:
        last_use[name] = len(layers)
    groups: list[list[str]] = []
    group_of: dict[str, list[str]] = {}
    place: dict[str, int] = {}  # of a tensor, from that of the first one of its group
    first = dict.fromkeys(graph.inputs, -1)
    last: dict[str, int] = {}  # of a group, by its first tensor

    def new_group(name: str) -> None:
        group_of[name] = [name]
        groups.append(group_of[name])
        place[name] = 0
        last[name] = last_use.get(name, first[name])

    def join(name: str, source: str, bytes_below: int = 0) -> None:
        group = group_of[name] = group_of[source]
        group.append(name)
        place[name] = place[source] - bytes_below
        last[group[0]] = max(last[group[0]], last_use.get(name, first[name]))

    for name in graph.inputs:
        new_group(name)
    for index, layer in enumerate(layers):
        name = layer.output.name
        first[name] = index
        if layer.op.is_view:
            join(name, layer.inputs[0].name)
            continue
        taken = [(i, 0) for i in layer.op.in_place(layer) if layer.inputs[i].size_bytes == layer.output.size_bytes]
        if index in below:
            taken = [(layer.inputs.index(layer.activations[0]), below[index])]
        for i, bytes_below in () if index in alone else taken:
            source = layer.inputs[i]
            oldest = group_of[source.name][0]
            is_input = first[oldest] < 0
            if last[oldest] == index and not is_input:
                join(name, source.name, bytes_below)
                break
        else:
            new_group(name)
    return [_storage(graph, group, place, first[group[0]], last[group[0]]) for group in groups]


def _storage(graph: Graph, tensors: Sequence[str], place: Mapping[str, int], first: int, last: int) -> Storage:
    lowest = min(place[name] for name in tensors)
    places = tuple(place[name] - lowest for name in tensors)
    size_bytes = max(at + graph.tensors[name].size_bytes for at, name in zip(places, tensors, strict=True))
    return Storage(tuple(tensors), size_bytes, first, last, places=places if any(places) else ())
