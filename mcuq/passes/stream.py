"""A network on windows of a signal as one that takes new frames alone: what was made of the frames before is its state.

Each row of a layer is computed when its last frame comes, and held as long as a window has it. Rows that the window's
padding takes part in are made anew, as they are others in each window; what needs a window whole has it put together of
those. Outputs are the window's, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph, Node, State, Stream, StreamedOutput, verify
from mcuq.graph.names import fresh
from mcuq.graph.operator import Operator
from mcuq.graph.rows import of_shape
from mcuq.graph.simulate import simulate
from mcuq.graph.streams import newest, streamed, window_before
from mcuq.graph.tensor import Array, ChannelQuant, Tensor
from mcuq.ops.concat import Concat
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.slice import Slice
from mcuq.passes.stream_rows import Needs, Rows, Streams, band_of, smallest_hop, streams_of


@dataclass(frozen=True)
class Streaming:
    """Along which dimension of the input frames come, as the model has it, and how many a call takes; None: as few as
    all layers take. Unless `padded`, layers whose rows padding takes part in, of which more has to be held, are
    computed of whole windows."""

    axis: int
    hop: int | None = None
    padded: bool = True


_STREAMING = re.compile(r"(-?\d{1,3})(?::(\d{1,9}))?")


def parse_streaming(text: str, padded: bool = True) -> Streaming:
    """AXIS or AXIS:HOP. Raises ModelError for anything else."""
    found = _STREAMING.fullmatch(text.strip())
    if found is None:
        raise ModelError(
            f"--stream '{text}': is no dimension of the input, as in 1, or one with the frames of a call behind it, "
            "as in 1:4"
        )
    return Streaming(int(found[1]), int(found[2]) if found[2] else None, padded)


MOST_CHECKED = 1024  # calls that fill a window, in the check of a whole compilation
CHECKED_WINDOWS = 3


def stream(graph: Graph, asked: Streaming) -> Graph:
    """The graph on windows of its one input, in integers or floats, as one of new frames. Raises ModelError where it
    cannot be one."""
    name, axis = _input_of(graph), asked.axis
    shape = graph.tensors[name].shape
    if not -len(shape) <= axis < len(shape):
        raise ModelError(
            f"model '{graph.name}': --stream {axis}: input '{name}' of shape {list(shape)} has no such dimension; give "
            f"0 to {len(shape) - 1}"
        )
    axis %= len(shape)
    if shape[axis] < 2:
        raise ModelError(
            f"model '{graph.name}': --stream {axis}: dimension {axis} of input '{name}' of shape {list(shape)} is of "
            "one place; give the one along which frames come"
        )
    quant = graph.tensors[name].quant
    if isinstance(quant, ChannelQuant) and len(shape) + quant.axis == axis:
        raise ModelError(
            f"model '{graph.name}': --stream {axis}: input '{name}' has a scale for each of its places along that "
            "dimension, and frames move on from place to place; give --input-scale per-tensor"
        )
    try:
        hop = smallest_hop(graph, axis, asked.hop, asked.padded)
    except ModelError as error:
        raise ModelError(f"model '{graph.name}': {error}") from None
    streams = streams_of(graph, axis, hop, asked.padded)
    return _Steps(graph, streams, Needs(graph, streams)).graph()


def check_stream(windowed: Graph, streaming: Graph) -> bool:
    """Whether the outputs of random windows that follow one another were compared, byte for byte; not where too many
    calls fill one. Raises ModelError where they differ."""
    own = streaming.stream
    assert own is not None
    if own.calls > MOST_CHECKED:
        return False
    x = windowed.tensors[windowed.inputs[0]]
    calls = own.calls + CHECKED_WINDOWS - 1
    signal = _codes(np.random.default_rng(0), x, of_shape(x.shape, own.axis, calls * own.hop))
    # Outputs may be the same for many inputs: what they are made of is compared as well.
    made = [t.name for t in streaming.tensors.values() if not t.is_constant and t.name in windowed.tensors]
    whole = (name for name in made if streaming.tensors[name].shape == windowed.tensors[name].shape)
    names = tuple(dict.fromkeys((*windowed.outputs, *whole)))
    found = streamed(streaming, signal[None], names)[own.calls - 1 :]
    ends = [(own.calls + i) * own.hop for i in range(CHECKED_WINDOWS)]
    windows = np.stack([window_before(signal, own, end) for end in ends])
    wanted = simulate(replace(windowed, outputs=names), {x.name: windows})
    for name in names:
        values = np.concatenate([each[name] for each in found])
        if not np.array_equal(newest(own, name, wanted[name], values.shape), values):
            raise ModelError(
                f"model '{windowed.name}': --stream: tensor '{name}' is not that of the window; this is a mistake of "
                "mcuq's, please report it with the model, and leave out --stream"
            )
    return True


def _codes(rng: np.random.Generator, x: Tensor, shape: tuple[int, ...]) -> Array:
    """Random values as tensor x has them, both extremes among them."""
    if x.dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    low, high = (x.integers.low, x.integers.high) if x.integers else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return rng.integers(low, high + 1, shape).astype(x.dtype)


def _input_of(graph: Graph) -> str:
    """Its one input."""
    if graph.states:
        raise ModelError(
            f"model '{graph.name}': --stream: does not go with --state or --stateful; leave out one of the two"
        )
    if len(graph.inputs) != 1:
        raise ModelError(
            f"model '{graph.name}': --stream: goes with one input, and the model has {len(graph.inputs)} "
            f"({', '.join(graph.inputs)}); make the others constant with --fix-input"
        )
    return graph.inputs[0]


class _Steps:
    """The graph of one call under construction."""

    def __init__(self, graph: Graph, streams: Streams, needs: Needs) -> None:
        self._graph, self._streams, self._needs = graph, streams, needs
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._states: list[State] = []
        # Of each tensor that moves on: rows of the window, and the tensor that has them.
        self._pieces: dict[str, list[tuple[Rows, str]]] = {}
        self._cut: dict[tuple[str, Rows], str] = {}
        self._names = {*graph.tensors, *(node.name for node in graph.nodes)}

    def graph(self) -> Graph:
        """All of it."""
        graph, name = self._graph, self._graph.inputs[0]
        given = self._streams.tensors[name]
        newest = (given.size - given.hop, given.size)
        self._tensors[name] = self._of_rows(name, newest, name)
        self._pieces[name] = [(newest, name)]
        self._hold(name)
        for node in graph.nodes:
            if node.output in self._streams.nodes:
                self._move_on(node)
            else:
                inputs = tuple(self._whole(i) for i in node.inputs)
                self._tensors[node.output] = graph.tensors[node.output]
                self._nodes.append(replace(node, inputs=inputs))
        moving = [name for name in graph.outputs if name in self._streams.tensors]
        for output in moving:
            if output not in self._tensors:
                self._rows(output, self._streams.tensors[output].given_out, output)
        outputs = [self._output(output) for output in moving if self._streams.tensors[output].moves]
        whole = [node.name for node in graph.nodes if self._is_whole(node)]
        calls = -(-(given.size - self._needs.first_frame(graph)) // given.hop)
        own = Stream(given.axis, given.size, given.hop, calls, graph.macs(), tuple(outputs), tuple(whole))
        ports = (name, *(s.input for s in self._states)), (*graph.outputs, *(s.output for s in self._states))
        return verify(Graph(graph.name, tuple(self._nodes), self._tensors, *ports, tuple(self._states), own))

    def _is_whole(self, node: Node) -> bool:
        """Whether all of the window is computed in each call."""
        own = self._streams.tensors.get(node.output)
        return own is None or sum(end - first for first, end in self._needs.made(node.output)) == own.size

    def _move_on(self, node: Node) -> None:
        """The rows that are new, and those of padding; what is held of them."""
        layer, name = self._graph.layer(node), node.output
        along = self._streams.nodes[name]
        made = self._needs.made(name)
        outputs = {name: along.output.given_out} if name in self._graph.outputs else {}
        pieces = self._pieces[name] = []
        for number, rows in enumerate(made):
            needed = self._needs.inputs(layer, rows)
            inputs = tuple(
                self._rows(t.name, needed[i]) if i in needed else self._constant(t) for i, t in enumerate(layer.inputs)
            )
            first = min(along.windows)
            size = self._streams.tensors[layer.inputs[first].name].size
            op = layer.op.banded(along.output.axis, band_of(along.windows[first], size, rows))
            is_last = number == len(made) - 1
            is_own = is_last and outputs.get(name, rows) == rows
            output = name if is_own else fresh(f"{name}_rows", self._names)
            self._tensors[output] = self._of_rows(name, rows, output)
            own = node.name if is_last else fresh(f"{node.name}_top", self._names)
            self._nodes.append(Node(own, op, inputs, output, node.source or node.name))
            pieces.append((rows, output))
        if made:
            self._hold(name)

    def _hold(self, name: str) -> None:
        """A state of the rows that stay, where there are more of them than a hop makes."""
        held, new = self._needs.held(name), self._needs.newest(name)
        if held == new:
            return
        newest = self._rows(name, new)
        before, behind = fresh(f"{name}_before", self._names), fresh(f"{name}_held", self._names)
        for own in (before, behind):
            self._tensors[own] = self._of_rows(name, held, own)
        self._add(ShiftIn(self._streams.tensors[name].axis), (before, newest), behind)
        self._states.append(State(before, behind))
        self._pieces[name].insert(0, (held, behind))

    def _output(self, name: str) -> StreamedOutput:
        """The newest rows, under the output's own name."""
        own = self._streams.tensors[name]
        frames = self._streams.tensors[self._graph.inputs[0]].hop // own.hop
        return StreamedOutput(name, own.axis, own.given_out[0], own.bottom * frames)

    def _whole(self, name: str) -> str:
        """What a layer that needs whole windows reads."""
        own = self._streams.tensors.get(name)
        if own is not None:
            return self._rows(name, (0, own.size))
        return self._constant(self._graph.tensors[name])

    def _constant(self, t: Tensor) -> str:
        """A constant, or what is whole already."""
        self._tensors[t.name] = t
        return t.name

    def _rows(self, name: str, rows: Rows, output: str | None = None) -> str:
        """The tensor that has these rows of another, put together of what there is."""
        if (name, rows) in self._cut and output is None:
            return self._cut[name, rows]
        parts, at = [], rows[0]
        while at < rows[1]:
            have, tensor = max(
                (piece for piece in self._pieces[name] if piece[0][0] <= at < piece[0][1]),
                key=lambda piece: min(piece[0][1], rows[1]),
            )
            until = min(have[1], rows[1])
            parts.append((tensor, have, (at, until)))
            at = until
        if len(parts) == 1:
            found = self._slice(name, *parts[0], output)
        else:
            pieces = tuple(self._slice(name, *part) for part in parts)
            found = output or fresh(f"{name}_rows", self._names)
            self._tensors[found] = self._of_rows(name, rows, found)
            self._add(Concat(self._streams.tensors[name].axis), pieces, found)
        self._cut.setdefault((name, rows), found)
        return found

    def _slice(self, name: str, tensor: str, have: Rows, rows: Rows, output: str | None = None) -> str:
        """Rows of a tensor that has more."""
        if have == rows and output is None:
            return tensor
        if (name, rows) in self._cut and output is None:
            return self._cut[name, rows]
        found = output or fresh(f"{name}_rows", self._names)
        t = self._tensors[found] = self._of_rows(name, rows, found)
        begin = [0] * len(t.shape)
        begin[self._streams.tensors[name].axis] = rows[0] - have[0]
        self._add(Slice(tuple(begin), t.shape, (1,) * len(t.shape)), (tensor,), found)
        self._cut.setdefault((name, rows), found)
        return found

    def _add(self, op: Operator, inputs: tuple[str, ...], output: str) -> None:
        self._nodes.append(Node(fresh(output, self._names), op, inputs, output))

    def _of_rows(self, name: str, rows: Rows, own: str) -> Tensor:
        t = self._graph.tensors[name]
        axis = self._streams.tensors[name].axis
        return replace(t, name=own, shape=of_shape(t.shape, axis, rows[1] - rows[0]))
