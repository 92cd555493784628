"""Which tensors of a graph share memory, and when each is alive: the layers in order are its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor

ALIGNMENT = 4  # bytes: kernels may load whole words
NOWHERE: Mapping[int, int] = {}


@dataclass(frozen=True)
class Storage:
    """Memory of one tensor, or of several that never hold different values at one time.

    `tensors` in the order in which they are computed, each `places` bytes from the storage's own offset (none: all at
    it); alive from step `first` to step `last`, both included (-1: before the first step), of which each needs its
    bytes during its own of `lives` (none: all of the time).
    """

    tensors: tuple[str, ...]
    size_bytes: int
    first: int
    last: int
    offset: int = 0
    places: tuple[int, ...] = ()
    lives: tuple[tuple[int, int], ...] = ()

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


def storages_of(
    graph: Graph, below: Mapping[int, int] = NOWHERE, alone: Container[int] = (), joined: Container[int] = ()
) -> list[Storage]:
    """What memory the graph's inputs, outputs and intermediates need, and when; without offsets.

    Views share their source's storage; an element-by-element layer takes over that of an input which nobody
    reads later, if it has the same size and is not an input of the model (the caller's own memory may be
    behind that). So do the layers `below`, each so many bytes below its first computed input, whatever the sizes.
    Outputs of the layers `alone` share nothing with what was there before. Of the layers `joined`, the inputs that are
    parts of the output are made in their places in it where they can be, and outputs that are parts lie in the input.
    """
    layers = list(graph.layers())
    groups = _Groups(graph, layers)
    parts = {t.name for i, layer in enumerate(layers) if i in joined for t in _parts_of(layer)}
    for index, layer in enumerate(layers):
        name = layer.output.name
        groups.first[name] = index
        if layer.op.is_view:
            groups.join(name, layer.inputs[0].name)
            continue
        if index in joined and index not in alone and groups.join_parts(layer):
            continue
        taken = [(i, 0) for i in layer.op.in_place(layer) if layer.inputs[i].size_bytes == layer.output.size_bytes]
        if index in below:
            taken = [(layer.inputs.index(layer.activations[0]), below[index])]
        for i, bytes_below in () if index in alone else taken:
            source = layer.inputs[i]
            oldest = groups.of[source.name][0]
            is_input = groups.first[oldest] < 0
            if groups.last[oldest] == index and not is_input and not groups.clash(source, layer.inputs):
                if name in parts and not groups.may_move(source):  # over a part of one whole, it is none of another
                    continue
                groups.join(name, source.name, bytes_below)
                break
        else:
            groups.add(name)
    return groups.storages()


def _parts_of(layer: Layer) -> list[Tensor]:
    """The inputs that are parts of the output, and not all of it."""
    inputs = [layer.inputs[i] for i in layer.op.parts(layer)]
    return [t for t in inputs if t.size_bytes < layer.output.size_bytes]


class _Groups:
    """Tensors that share memory, in the order in which they are computed."""

    def __init__(self, graph: Graph, layers: Sequence[Layer]) -> None:
        self._graph = graph
        self._last_use = {t.name: index for index, layer in enumerate(layers) for t in layer.inputs}
        for name in graph.outputs:
            self._last_use[name] = len(layers)
        self.of: dict[str, list[str]] = {}
        self.place: dict[str, int] = {}  # of a tensor, from anywhere the same for all of its group
        self.first = dict.fromkeys(graph.inputs, -1)
        self.last: dict[str, int] = {}  # of a group, by its first tensor
        for name in graph.inputs:
            self.add(name)

    def add(self, name: str) -> None:
        """A tensor with memory of its own."""
        self.of[name] = [name]
        self.place[name] = 0
        self.last[name] = self._last_use.get(name, self.first[name])

    def join(self, name: str, source: str, bytes_below: int = 0) -> None:
        """A tensor that begins so far below another."""
        group = self.of[name] = self.of[source]
        group.append(name)
        self.place[name] = self.place[source] - bytes_below
        self.last[group[0]] = max(self.last[group[0]], self._last_use.get(name, self.first[name]))

    def clash(self, taken: Tensor, inputs: Sequence[Tensor]) -> bool:
        """Whether other inputs have bytes in common with one, and not the same for the same element: they begin
        elsewhere, or are a part of it, which is broadcast."""
        begin, n_bytes = self.place[taken.name], taken.size_bytes
        of_same = (t for t in inputs if self.of.get(t.name) is self.of[taken.name])
        others = ((self.place[t.name], t.size_bytes) for t in of_same)
        return any((at, size) != (begin, n_bytes) and at < begin + n_bytes and begin < at + size for at, size in others)

    def join_parts(self, layer: Layer) -> bool:
        """Have the output and those inputs in one memory that are parts of one another; whether there are any."""
        y, parts = layer.output, layer.op.parts(layer)
        for i, elements in parts.items():
            x, behind = layer.inputs[i], elements * y.size_bytes // max(1, y.elements)
            if behind % ALIGNMENT or x.size_bytes == 0 or y.size_bytes == 0:
                continue
            if x.size_bytes >= y.size_bytes:  # the output is a part, of what may be another's as well
                if y.name not in self._graph.outputs:
                    self.join(y.name, x.name, behind)
                    return True
            elif self.may_move(x):
                if y.name in self.of:
                    self._merge(x.name, y.name, behind)
                else:
                    self.join(y.name, x.name, behind)
        return y.name in self.of

    def storages(self) -> list[Storage]:
        """All of them."""
        groups = {group[0]: group for group in self.of.values()}
        return [self._storage(own, self.first[key], self.last[key]) for key, own in groups.items()]

    def _storage(self, tensors: Sequence[str], first: int, last: int) -> Storage:
        lowest = min(self.place[name] for name in tensors)
        places = tuple(self.place[name] - lowest for name in tensors)
        sizes = [self._graph.tensors[name].size_bytes for name in tensors]
        size_bytes = max(at + own for at, own in zip(places, sizes, strict=True))
        lives = tuple((self.first[name], self._last_use.get(name, self.first[name])) for name in tensors)
        return Storage(
            tuple(tensors),
            size_bytes,
            first,
            last,
            places=places if any(places) else (),
            lives=lives if any(own < size_bytes for own in sizes) else (),
        )

    def may_move(self, part: Tensor) -> bool:
        """Whether a tensor and all that share its memory can lie in that of another: nothing of them is beyond its
        bytes, and none is the caller's."""
        begin = self.place[part.name]
        return not any(
            name in self._graph.inputs
            or name in self._graph.outputs
            or self.place[name] < begin
            or self.place[name] + self._graph.tensors[name].size_bytes > begin + part.size_bytes
            for name in self.of[part.name]
        )

    def _merge(self, part: str, whole: str, behind: int) -> None:
        """Have the group of a part in that of the whole, unless it is there."""
        own, others = self.of[part], self.of[whole]
        if own is others:
            return
        shift = self.place[whole] + behind - self.place[part]
        last = max(self.last[own[0]], self.last[others[0]])
        for name in own:
            self.place[name] += shift
        both = sorted((*own, *others), key=lambda name: self.first[name])
        for name in both:
            self.of[name] = both
        self.last[both[0]] = last
