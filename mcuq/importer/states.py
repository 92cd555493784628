"""States: inputs and outputs of a model in pairs, and those that recurrent operators have inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper

from mcuq.errors import ModelError, did_you_mean
from mcuq.graph.ir import Graph, State, verify
from mcuq.graph.operator import Layer
from mcuq.importer.convert import convert
from mcuq.importer.nodes import node_name
from mcuq.importer.select import Selection
from mcuq.ops.recurrent import INITIAL, Recurrent

# ONNX's recurrent operators: the inputs of their states to begin with, and the outputs of their last ones.
_INPUTS: Mapping[str, tuple[int, ...]] = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
_OUTPUTS: Mapping[str, tuple[int, ...]] = {"LSTM": (1, 2), "GRU": (1,), "RNN": (1,)}
_KINDS = ("h", "c")
# Parts of names that say which of two a tensor is, before or after an inference.
_SIDES = frozenset(
    {
        "in",
        "out",
        "input",
        "output",
        "prev",
        "previous",
        "old",
        "next",
        "new",
        "0",
        "n",
        "x",
        "init",
        "initial",
        "final",
    }
)
_STATE_NAMES = re.compile(r"state|hidden|cell|cache|mem|(^|[_.])[hc]([_.]|\d|n|x|$)", re.IGNORECASE)


def read_states(model: onnx.ModelProto, selected: Selection, name: str) -> tuple[onnx.ModelProto, tuple[State, ...]]:
    """The model with the states that `selected` asks for among its inputs and outputs, and those. Raises ModelError
    where it has none of the kind, and for values to begin with of others."""
    states = tuple(State(x, y) for x, y in selected.states)
    if selected.stateful:
        model, own = open_states(model, name)
        states += own
    initial, known = dict(selected.initial), [state.input for state in states]
    for wanted in initial:
        if wanted not in known:
            listed = f"; states are {', '.join(map(repr, known))}" if known else "; give one: --state INPUT=OUTPUT"
            raise ModelError(f"{name}: has no state '{wanted}' to begin{did_you_mean(wanted, known) or listed}")
    return model, tuple(replace(state, initial=initial.get(state.input, state.initial)) for state in states)


def with_states(graph: Graph, states: Sequence[State], name: str) -> Graph:
    """The graph with those pairs of its inputs and outputs as states. Raises ModelError where they cannot be."""
    for state in states:
        where = f"{name}: state '{state.input}={state.output}'"
        for kind, wanted, known in (("input", state.input, graph.inputs), ("output", state.output, graph.outputs)):
            if wanted not in known:
                listed = f"; its {kind}s are {', '.join(map(repr, known))}"
                raise ModelError(f"{where}: the model has no {kind} '{wanted}'{did_you_mean(wanted, known) or listed}")
        x, y = graph.tensors[state.input], graph.tensors[state.output]
        if x.shape != y.shape:
            raise ModelError(
                f"{where}: the input has shape {list(x.shape)}, the output {list(y.shape)}; a state keeps its shape"
            )
        if x.integers is not None or y.integers is not None:
            raise ModelError(f"{where}: holds integers; states of real values are supported")
    for kind, names in (("input", [s.input for s in states]), ("output", [s.output for s in states])):
        twice = next((own for own in names if names.count(own) > 1), None)
        if twice is not None:
            raise ModelError(f"{name}: {kind} '{twice}' is in two states; give it to one")
    found = replace(graph, states=tuple(states))
    if states and not found.given_inputs:
        raise ModelError(f"{name}: all its inputs are states; leave one to give when it runs")
    if states and not found.given_outputs:
        raise ModelError(f"{name}: all its outputs are states; leave one to give out, or add one with --outputs")
    return verify(found)


def open_states(model: onnx.ModelProto, name: str) -> tuple[onnx.ModelProto, tuple[State, ...]]:
    """The model whose recurrent operators read and give out the states that were their own: without a state to begin
    with, or with a constant one whose elements all are one number. Raises ModelError where there is none, and for
    layers that run from the last step to the first."""
    graph, _ = convert(model, name)
    layers = _recurrent(graph)
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    taken = {n for node in opened.graph.node for n in (*node.input, *node.output)}
    taken |= {v.name for v in (*opened.graph.input, *opened.graph.output)}
    states: list[State] = []
    for node in opened.graph.node:
        own = node_name(node)
        if node.op_type not in _INPUTS or own not in layers:
            continue
        layer, op = layers[own]
        begins = _initial_values(layer, op)
        if begins is None:
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        direction = attributes.get("direction", b"forward").decode()
        if direction != "forward":
            raise ModelError(
                f"{name}: {node.op_type} '{own}': direction={direction} runs from the last step to the first, and no "
                "state goes on from call to call; leave out --stateful, or use forward layers"
            )
        _, batch, hidden = layer.output.shape
        shape = (batch, 1, hidden) if attributes.get("layout", 0) else (1, batch, hidden)
        for kind, given, made, initial in zip(
            _KINDS, _INPUTS[node.op_type], _OUTPUTS[node.op_type], begins, strict=False
        ):
            ends = []
            for side in ("in", "out"):
                text = f"{own}_{kind}_{side}"
                while text in taken:
                    text += "_"
                taken.add(text)
                ends.append(text)
            node.input.extend([""] * (given + 1 - len(node.input)))
            node.output.extend([""] * (made + 1 - len(node.output)))
            node.input[given] = ends[0]
            info = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end in ends]
            opened.graph.input.append(info[0])
            if node.output[made]:
                info[1].name = node.output[made]
            if all(value.name != info[1].name for value in opened.graph.output):
                opened.graph.output.append(info[1])
            node.output[made] = info[1].name
            states.append(State(ends[0], info[1].name, initial))
    if not states:
        raise ModelError(
            f"{name}: --stateful: it has no LSTM, GRU or RNN whose state begins with a constant; leave out --stateful, "
            "or give pairs of its inputs and outputs: --state INPUT=OUTPUT"
        )
    return opened, tuple(states)


def suggested_states(graph: Graph) -> tuple[State, ...]:
    """Pairs of inputs and outputs that may be states, by their shapes and names: for the user to judge."""
    left = list(graph.outputs)
    found = []
    for name in graph.inputs:
        x = graph.tensors[name]
        alike = [y for y in left if graph.tensors[y].shape == x.shape and y != name and x.integers is None]
        named = [y for y in alike if _stem(y) == _stem(name)]
        only = alike if len(alike) == 1 and _STATE_NAMES.search(name) and _STATE_NAMES.search(alike[0]) else []
        chosen = (named if len(named) == 1 else only)[:1]
        if chosen and len(graph.inputs) > 1:
            left.remove(chosen[0])
            found.append(State(name, chosen[0]))
    return tuple(found) if 0 < len(found) < len(graph.inputs) else ()


def _stem(name: str) -> str:
    """What the names of the two ends of a state may have in common."""
    words = re.findall(r"\d+|[A-Z]?[a-z]+|[A-Z]+", name)
    stems = [_without_side(word.lower()) for word in words]
    return " ".join(stem for stem in stems if stem)


def _without_side(word: str) -> str:
    if word in _SIDES:
        return ""
    return word[0] if re.fullmatch(r"[hc][nx]", word) else word


def _recurrent(graph: Graph) -> dict[str, tuple[Layer, Recurrent]]:
    """The recurrent layers by what the model calls them; of one in two directions the second."""
    found = ((layer, layer.op) for layer in graph.layers())
    return {layer.source or layer.name: (layer, op) for layer, op in found if isinstance(op, Recurrent)}


def _initial_values(layer: Layer, op: Recurrent) -> tuple[float, ...] | None:
    """What each state begins with, where that is one number for all of its elements."""
    if not op.has_initial:
        return (0.0,) * len(op.states)
    given = layer.inputs[INITIAL : INITIAL + len(op.states)]
    if not all(t.is_constant and np.all(t.values == t.values.flat[0]) for t in given):
        return None
    return tuple(float(t.values.flat[0]) for t in given)
