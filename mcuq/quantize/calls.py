"""The float model along sequences of calls: what its states become is what calibration sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from mcuq.dataset import Dataset, InputSpec, from_arrays
from mcuq.dataset.sequences import Sequences
from mcuq.errors import DataError
from mcuq.graph.ir import Graph, State
from mcuq.graph.states import RESET
from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize.synthetic import synthetic_dataset


class FloatCalls:
    """A float model whose states go on from call to call; one without states is as it is."""

    def __init__(self, model: onnx.ModelProto | bytes, states: Sequence[State], shapes: Mapping[str, Shape]) -> None:
        """`shapes` has those of the states, by their inputs."""
        self._model = FloatModel(model)
        self._outputs = {state.input: state.output for state in states}
        self._initial = {s.input: np.full(shapes[s.input], s.initial, np.float32) for s in states}
        self.states: dict[str, Array] = self._initial

    def begin(self, call: Mapping[str, Array]) -> None:
        """Have the states that the call reads."""
        if RESET in call and call[RESET].any():
            self.states = self._initial

    def run(self, call: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """The named tensors of one call, whose inputs are those that the caller gives, and RESET; `states` are then
        what the next one reads."""
        self.begin(call)
        given = {name: x for name, x in call.items() if name != RESET}
        wanted = list(dict.fromkeys((*outputs, *self._outputs.values())))
        found = self._model.run({**given, **self.states}, wanted)
        self.states = {x: found[y] for x, y in self._outputs.items()}
        for name, values in self.states.items():
            if not np.isfinite(values).all():
                raise DataError(
                    f"state '{name}': is NaN or Inf along a sequence of the data, so that no range is known; mend the "
                    "data, or give shorter sequences"
                )
        return {name: found[name] for name in outputs}


def calls_with_states(graph: Graph, calls: Sequences) -> Dataset:
    """The calls of a float graph with what its states are before each: samples of all its inputs, in memory."""
    names = [state.output for state in graph.states]
    shapes = {name: graph.tensors[name].shape for name in graph.inputs}
    model = FloatCalls(write_onnx(graph, names), graph.states, shapes)
    columns: dict[str, list[Array]] = {name: [] for name in graph.inputs}
    for call in calls:
        model.begin(call)
        for name, values in {**call, **model.states}.items():
            if name in columns:
                columns[name].append(values)
        model.run(call, ())
    specs = tuple(InputSpec(name, shapes[name]) for name in graph.inputs)
    known = {spec.name: spec for spec in calls.inputs}
    specs = tuple(known.get(spec.name, spec) for spec in specs)
    return from_arrays({name: np.stack(values) for name, values in columns.items()}, specs)


def synthetic_calls(graph: Graph) -> Sequences:
    """Made-up inputs as one sequence."""
    made_up = synthetic_dataset(graph)
    return Sequences(made_up.inputs, (made_up,))
