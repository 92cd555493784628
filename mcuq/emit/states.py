"""The C of what goes on from one inference to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.emit.calls import STATE_BYTES, Pointer
from mcuq.emit.text import in_comment
from mcuq.graph.ir import Graph
from mcuq.graph.states import initial_states, state_bytes, state_offsets
from mcuq.graph.tensor import Tensor
from mcuq.kernels.c_types import C_TYPES
from mcuq.plan import Plan


@dataclass(frozen=True)
class EmittedState:
    """The state of one pair as the C has it: `offset` in the state's bytes, `initial` what all elements begin with, and
    `copy` the place in the arena of which it is copied in the end, "" where it is written in its own."""

    tensor: Tensor
    output: str
    offset: int
    initial: str
    copy: str

    @property
    def c_type(self) -> str:
        """The type of an element."""
        return C_TYPES[self.tensor.dtype]

    @property
    def comment(self) -> str:
        """The names as a C comment can hold them."""
        return f"'{in_comment(self.tensor.name)}', from '{in_comment(self.output)}'"

    @property
    def what(self) -> str:
        """Shape and type, and the scale of integers."""
        shape = " x ".join(map(str, self.tensor.shape)) or "scalar"
        quant = self.tensor.quant
        return f"{shape} {self.c_type}" + (f", scale {quant.step:.6g}, zero point {quant.zero_point}" if quant else "")


@dataclass(frozen=True)
class EmittedStates:
    """All states of a model, which take `n_bytes`."""

    each: tuple[EmittedState, ...]
    n_bytes: int


def states_of(graph: Graph, plan: Plan, pointers: Mapping[str, Pointer]) -> EmittedStates:
    """What the templates have of the graph's states."""
    kept = {name for storage in plan.kept for name in storage.tensors}
    offsets, initial = state_offsets(graph), initial_states(graph)
    found = []
    for state in graph.states:
        tensor = graph.tensors[state.input]
        first = initial[state.input].reshape(-1)[0]
        text = f"{float(first)!r}f" if tensor.dtype == "float32" else str(int(first))
        copy = "" if state.output in kept else pointers[state.output].bytes_text
        found.append(EmittedState(tensor, state.output, offsets[state.input], text, copy))
    return EmittedStates(tuple(found), state_bytes(graph))


__all__ = ["STATE_BYTES", "EmittedState", "EmittedStates", "states_of"]
