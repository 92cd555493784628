"""Which rows of which tensors a window that moves on along a signal leaves the same, and which of them are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.rows import Band, RowWindow

Rows = tuple[int, int]
"""From one row to before another, as the window has them."""


@dataclass(frozen=True)
class Streamed:
    """A tensor along dimension `axis`, of `size` rows, `hop` of which are new when the window has moved on; the first
    `top` and the last `bottom` of them are made of padding, and so differ from window to window."""

    axis: int
    size: int
    hop: int
    top: int = 0
    bottom: int = 0

    @property
    def inner(self) -> Rows:
        """The rows that stay as they are, each a hop further up."""
        return self.top, self.size - self.bottom

    @property
    def moves(self) -> bool:
        """Whether inner rows of one window are rows of the next."""
        return self.hop < self.size and self.hop <= self.size - self.top - self.bottom

    @property
    def given_out(self) -> Rows:
        """Of an output the newest inner rows, or all where none of them stay."""
        return (self.inner[1] - self.hop, self.inner[1]) if self.moves else (0, self.size)


@dataclass(frozen=True)
class Along:
    """How the output of a layer goes along the signal: what it is, and the window on each of its computed inputs, by
    their indices."""

    output: Streamed
    windows: Mapping[int, RowWindow]


class NoHop(Exception):
    """The layer makes no whole number of rows for a hop."""


@dataclass(frozen=True)
class Streams:
    """What goes along the signal: tensors by name, and the nodes that make them, by their outputs. All others need
    whole windows."""

    tensors: Mapping[str, Streamed]
    nodes: Mapping[str, Along]


def streams_of(graph: Graph, axis: int, hop: int, padded: bool = True) -> Streams:
    """For `hop` new places of dimension `axis` of the one input; unless `padded`, layers whose rows padding takes part
    in need whole windows. Raises NoHop."""
    name = graph.inputs[0]
    tensors = {name: Streamed(axis, graph.tensors[name].shape[axis], hop)}
    nodes = {}
    for node in graph.nodes:
        found = _along(graph.layer(node), tensors)
        if found is not None and (padded or found.output.inner == (0, found.output.size)):
            tensors[node.output], nodes[node.output] = found.output, found
    return Streams(tensors, nodes)


def smallest_hop(graph: Graph, axis: int, hop: int | None, padded: bool = True) -> int:
    """The least number of frames of which all layers that move on make whole rows, or `hop` where they do of that.
    Raises ModelError where they do not."""
    window = graph.tensors[graph.inputs[0]].shape[axis]
    least = next((n for n in range(1, window + 1) if _is_hop(graph, axis, n, padded)), window)
    if hop is None:
        return least
    if not 1 <= hop <= window:
        raise ModelError(f"--stream: a hop of {hop} is not from 1 to the window's {window}")
    if not _is_hop(graph, axis, hop, padded):
        raise ModelError(
            f"--stream: {hop} frames are no whole number of rows of all layers; give a multiple of {least}"
        )
    return hop


def _is_hop(graph: Graph, axis: int, hop: int, padded: bool) -> bool:
    try:
        streams_of(graph, axis, hop, padded)
    except NoHop:
        return False
    return True


def _along(layer: Layer, tensors: Mapping[str, Streamed]) -> Along | None:
    """None for a layer that needs whole windows: some of its inputs do, or its rows are made of all, or most of them
    are new in each window."""
    if not layer.activations or any(t.name not in tensors for t in layer.activations):
        return None
    computed = [i for i, t in enumerate(layer.inputs) if not t.is_constant]
    if any(i in layer.op.choosing for i in computed):
        return None
    windows: dict[int, RowWindow] = {}
    axes = set()
    for i in computed:
        found = layer.op.along(layer, i, tensors[layer.inputs[i].name].axis)
        if found is None:
            return None
        axes.add(found[0])
        windows[i] = found[1]
    if len(axes) > 1:
        return None
    axis = axes.pop()
    size = layer.output.shape[axis]
    made = {_made(tensors[layer.inputs[i].name], window, size) for i, window in windows.items()}
    top, bottom = max(own[1] for own in made), max(own[2] for own in made)
    hops = {own[0] for own in made}
    # Rows of hops that differ are none of one signal.
    if len(hops) > 1:
        return None
    hop = hops.pop()
    if hop.denominator > 1:
        if size - top - bottom > ceil(hop):
            raise NoHop
        return None
    if top + bottom > size:
        top, bottom = size, 0
    return Along(Streamed(axis, size, int(hop), top, bottom), windows)


def _made(x: Streamed, window: RowWindow, size: int) -> tuple[Fraction, int, int]:
    """How many of `size` rows a hop makes by a window on x, and how many of the first and last are made of padding, or
    of x's own such rows."""
    first, behind = x.inner
    top = -(-(first + window.begin) // window.stride)
    last = (behind - window.extent + window.begin) // window.stride
    return Fraction(x.hop, window.stride), max(0, top), max(0, size - 1 - last)


class Needs:
    """Which rows of each tensor that moves on are needed when the window has done so: what a consumer that needs
    windows whole has, or rows that move on are made of; of an output that moves on itself the newest inner rows.

    `of` has them by the tensor: the first rows, that padding takes part in; the inner ones; and the last.
    """

    def __init__(self, graph: Graph, streams: Streams) -> None:
        self._streams = streams
        self.of: dict[str, tuple[Rows, Rows, Rows]] = {}
        given = streams.tensors[graph.inputs[0]]
        self._add(graph.inputs[0], (given.size - given.hop, given.size))
        for name in graph.outputs:
            if name in streams.tensors:
                self._add(name, streams.tensors[name].given_out)
        for node in reversed(graph.nodes):
            layer = graph.layer(node)
            if node.output not in streams.nodes:
                for t in layer.activations:
                    if t.name in streams.tensors:
                        self._add(t.name, (0, streams.tensors[t.name].size))
                continue
            for rows in self.made(node.output):
                for i, needed in self.inputs(layer, rows).items():
                    self._add(layer.inputs[i].name, needed)

    def _add(self, name: str, rows: Rows) -> None:
        own = self._streams.tensors[name]
        top, bottom = own.inner
        parts = ((0, top), (top, bottom), (bottom, own.size))
        before = self.of.get(name, (_NONE,) * 3)
        first, inner, last = (_hull(old, _within(rows, part)) for old, part in zip(before, parts, strict=True))
        self.of[name] = first, inner, last

    def held(self, name: str) -> Rows:
        """The needed rows that stay from window to window."""
        return self.of[name][1]

    def newest(self, name: str) -> Rows:
        """Those of them that are new."""
        first, behind = self.held(name)
        return max(first, behind - self._streams.tensors[name].hop), behind

    def made(self, name: str) -> list[Rows]:
        """The rows that are computed for a hop: those of padding at the top, and from the newest inner ones down to
        those of padding at the bottom."""
        if name not in self.of:
            return []
        first, _, last = self.of[name]
        newest = self.newest(name)
        both = [first, (newest[0], last[1])] if newest[1] == last[0] else [first, newest, last]
        return [rows for rows in both if rows[0] < rows[1]]

    def inputs(self, layer: Layer, rows: Rows) -> dict[int, Rows]:
        """The rows of each computed input that such rows of the output are made of."""
        windows = self._streams.nodes[layer.output.name].windows
        found = {}
        for i, window in windows.items():
            size = self._streams.tensors[layer.inputs[i].name].size
            found[i] = window.needs(rows[0], rows[1] - rows[0], size)
        return found

    def first_frame(self, graph: Graph) -> int:
        """The first frame of the window that anything is made of."""
        seen = {name: _hull(_hull(*parts[:2]), parts[2]) for name, parts in self.of.items()}
        for node in reversed(graph.nodes):
            if node.output in self._streams.nodes and node.output in seen:
                layer = graph.layer(node)
                for i, rows in self.inputs(layer, seen[node.output]).items():
                    name = layer.inputs[i].name
                    seen[name] = _hull(seen.get(name, _NONE), rows)
        return seen[graph.inputs[0]][0]


_NONE: Rows = (0, 0)


def _hull(a: Rows, b: Rows) -> Rows:
    """All rows from the first of both to the last."""
    if a[0] == a[1] or b[0] == b[1]:
        return b if a[0] == a[1] else a
    return min(a[0], b[0]), max(a[1], b[1])


def _within(rows: Rows, part: Rows) -> Rows:
    first, behind = max(rows[0], part[0]), min(rows[1], part[1])
    return (first, behind) if first < behind else _NONE


def band_of(window: RowWindow, size: int, rows: Rows) -> Band:
    """Rows of an output as a band of their own, made of the rows of an input of `size` that they need."""
    first, behind = window.needs(rows[0], rows[1] - rows[0], size)
    top = rows[0] * window.stride - window.begin
    bottom = (rows[1] - 1) * window.stride - window.begin + window.extent
    return Band(behind - first, rows[1] - rows[0], max(0, -top), max(0, bottom - size))
