"""Windows of a signal as the calls of a graph that streams, and what these give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuq.graph.ir import Graph, Stream
from mcuq.graph.simulate import simulate
from mcuq.graph.states import initial_states
from mcuq.graph.tensor import Array, Shape


def frames_of(signal: Array, own: Stream, leading: int = 0) -> Iterator[Array]:
    """The new frames of each call, oldest first, of a signal of a whole number of hops, with so many dimensions in
    front of the input's."""
    axis = own.axis + leading
    for first in range(0, signal.shape[axis], own.hop):
        yield signal.take(range(first, first + own.hop), axis)


def calls_of(window: Array, own: Stream) -> Array:
    """The frames that the calls have until the window is full, a whole number of hops. What they have beyond a window
    is zeros in front, which no output is made of."""
    wanted = own.calls * own.hop
    missing = max(0, wanted - window.shape[own.axis])
    pads = [(0, 0)] * window.ndim
    pads[own.axis] = (missing, 0)
    padded = np.pad(window, pads)
    size = padded.shape[own.axis]
    return padded.take(range(size - wanted, size), own.axis)


def window_before(signal: Array, own: Stream, end: int) -> Array:
    """The window that ends before a frame; frames before the first one are zeros, of which no output is made."""
    begin = end - own.window
    pads = [(0, 0)] * signal.ndim
    pads[own.axis] = (max(0, -begin), 0)
    return np.pad(signal.take(range(max(0, begin), end), own.axis), pads)


def streamed(graph: Graph, signals: Array, names: Sequence[str]) -> list[dict[str, Array]]:
    """The named tensors (samples, *shape) of each call, for signals (samples, *shape of the input, longer along the
    stream) of as many streams, each from its beginning on."""
    own = graph.stream
    assert own is not None
    count, given = len(signals), graph.given_inputs[0]
    states: Mapping[str, Array] = {
        name: np.repeat(values[None], count, 0) for name, values in initial_states(graph).items()
    }
    watched = replace(graph, outputs=tuple(dict.fromkeys((*names, *graph.outputs))))
    found = []
    for frames in frames_of(signals, own, 1):
        outputs = simulate(watched, {given: frames, **states})
        states = {state.input: outputs[state.output] for state in graph.states}
        found.append({name: outputs[name] for name in names})
    return found


def of_windows(graph: Graph, windows: Array, names: Sequence[str]) -> dict[str, Array]:
    """The named tensors (samples, *shape) when windows (samples, *shape of the model's input) are full."""
    own = graph.stream
    assert own is not None
    signals = np.stack([calls_of(window, own) for window in windows])
    return streamed(graph, signals, names)[-1]


def newest(own: Stream, name: str, values: Array, shape: Shape) -> Array:
    """Of an output (samples, *shape) of whole windows what a graph that streams gives, of `shape` with samples."""
    for output in own.outputs:
        if output.name == name:
            rows = range(output.first, output.first + shape[output.axis + 1])
            return values.take(rows, output.axis + 1)
    return values
