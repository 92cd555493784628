"""Which tensors lie in the caller's state, from one inference to the next, and not in the arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcuq.graph.ir import Graph, State
from mcuq.graph.liveness import Storage
from mcuq.graph.operator import Layer
from mcuq.graph.states import state_offsets


def kept_storages(graph: Graph, storages: Sequence[Storage], time: Sequence[int]) -> tuple[Storage, ...]:
    """The storages of inputs of states, and of those outputs that can be written in their places: where nobody reads
    the input any more once the first byte there is written, or who reads it last writes in its place. Offsets are those
    in the state.

    `time[step + 1]` is the time of a step: all steps of a segment are one. All other outputs are copied in the end.
    """
    of = {name: s for s in storages for name in s.tensors}
    offsets = state_offsets(graph)
    kept = []
    for state in graph.states:
        x, y = of[state.input], of.get(state.output)
        kept.append(replace(x, offset=offsets[state.input]))
        if y is None or y.first < 0 or sum(name in graph.outputs for name in y.tensors) > 1:
            continue
        fits = y.size_bytes == graph.tensors[state.output].size_bytes
        in_place = y.first == x.last and _is_in_place(graph.layer(graph.nodes[y.first]), state)
        if fits and (in_place or time[y.first + 1] > time[x.last + 1]):
            kept.append(replace(y, offset=offsets[state.input]))
    return tuple(kept)


def _is_in_place(layer: Layer, state: State) -> bool:
    """Whether it makes a state's output in the memory of its input."""
    reads = [i for i, t in enumerate(layer.inputs) if t.name == state.input]
    return layer.output.name == state.output and len(reads) == 1 and reads[0] in layer.op.in_place(layer)
