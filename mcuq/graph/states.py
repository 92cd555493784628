"""What goes on from one inference of an integer graph to the next: its bytes in C, and calls in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.liveness import aligned
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Tensor

# A state begins with the model's digest, which tells whose it is.
HEAD_BYTES = 4
# What calls have beside the inputs and outputs that a caller gives and is given: by RESET whether the states begin anew
# before the call, where any of its bytes is not 0; the states' bytes before it and behind it.
RESET, BEFORE, STATE = "(reset)", "(state before)", "(state)"


def state_offsets(graph: Graph) -> dict[str, int]:
    """Where the tensor of each state begins in the bytes of all, by its input."""
    offsets, offset = {}, HEAD_BYTES
    for state in graph.states:
        offsets[state.input] = offset
        offset += aligned(graph.tensors[state.input].size_bytes)
    return offsets


def state_bytes(graph: Graph) -> int:
    """Bytes of all states together; 0 where there are none."""
    if not graph.states:
        return 0
    return HEAD_BYTES + sum(aligned(graph.tensors[state.input].size_bytes) for state in graph.states)


def initial_states(graph: Graph) -> dict[str, Array]:
    """What states begin with, by their inputs, in their integers."""
    tensors = {state: graph.tensors[state.input] for state in graph.states}
    return {s.input: t.encode(np.full(t.shape, s.initial, np.float32)) for s, t in tensors.items()}


def states_in(graph: Graph, data: Array) -> dict[str, Array]:
    """The inputs (1, *shape) that are the bytes of states in C."""
    found = {}
    for name, offset in state_offsets(graph).items():
        t = graph.tensors[name]
        own = np.ascontiguousarray(data).reshape(-1)[offset : offset + t.size_bytes]
        found[name] = own.view(t.dtype).reshape(1, *t.shape)
    return found


def wire_graph(graph: Graph) -> Graph:
    """What passes in and out at a call, as inputs and outputs of a graph without nodes; of a model without states the
    graph itself."""
    if not graph.states:
        return graph
    before, behind = (Tensor(name, (state_bytes(graph),), "int8") for name in (BEFORE, STATE))
    inputs, outputs = (BEFORE, *graph.given_inputs), (*graph.given_outputs, STATE)
    tensors = {**{n: graph.tensors[n] for n in (*inputs[1:], *outputs[:-1])}, BEFORE: before, STATE: behind}
    return Graph(graph.name, (), tensors, inputs, outputs)


class Calls:
    """The simulator of a graph whose states go on from call to call; of one without states `simulate`."""

    def __init__(self, graph: Graph, digest: int = 0) -> None:
        """`digest` is what the state's bytes begin with."""
        self._graph = graph
        self._digest = digest
        self._states = initial_states(graph)

    def run(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs (calls, *shape) by name, and the states' bytes BEFORE each call and behind it, STATE, for inputs of
        calls in order, (calls, *shape); before those whose RESET is not 0 the states begin anew."""
        if not self._graph.states:
            return simulate(self._graph, batch)
        return self.tensors(batch, (BEFORE, *self._graph.given_outputs, STATE))

    def tensors(self, batch: Mapping[str, Array], names: tuple[str, ...]) -> dict[str, Array]:
        """The same of any tensors of the graph, (calls, *shape)."""
        graph = self._graph
        watched = replace(
            graph, outputs=tuple(dict.fromkeys((*(n for n in names if n not in (BEFORE, STATE)), *graph.outputs)))
        )
        if not graph.states:
            return simulate(watched, batch)
        found: dict[str, list[Array]] = {name: [] for name in names}
        for i in range(len(batch[RESET])):
            if batch[RESET][i].any():
                self._states = initial_states(graph)
            given = {name: batch[name][i : i + 1] for name in graph.given_inputs}
            before = self.state
            outputs = simulate(watched, {**given, **{name: x[None] for name, x in self._states.items()}})
            self._states = {state.input: outputs[state.output][0] for state in graph.states}
            for name in names:
                own = before if name == BEFORE else self.state if name == STATE else outputs[name][0]
                found[name].append(own)
        return {name: np.stack(values) for name, values in found.items()}

    @property
    def state(self) -> Array:
        """The bytes that the states are in C now."""
        data = np.zeros(state_bytes(self._graph), np.int8)
        data[:HEAD_BYTES] = np.array([self._digest], "<u4").view(np.int8)
        for name, offset in state_offsets(self._graph).items():
            own = np.ascontiguousarray(self._states[name]).reshape(-1).view(np.int8)
            data[offset : offset + len(own)] = own
        return data
