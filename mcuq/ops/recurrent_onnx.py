"""What ONNX's recurrent operators have in common: directions, layouts, activations, states, and their three outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Quant, Shape
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.concat import Concat
from mcuq.ops.recurrent import Recurrent
from mcuq.ops.recurrent_activation import DEFAULTS, FUNCTIONS, Activation
from mcuq.ops.rescale import Rescale
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose

X, W, R, B, LENGTHS, INITIAL = range(6)


@dataclass(frozen=True)
class Direction:
    """What an operator of one direction is made with: as `Recurrent` has it, and whether the last cell is asked for."""

    activations: tuple[Activation, ...]
    reverse: bool
    lengths: tuple[int, ...]
    whole: bool
    has_initial: bool
    with_cell: bool


Make: TypeAlias = Callable[[OnnxNode, Direction], Recurrent]


@dataclass(frozen=True)
class _Sizes:
    steps: int
    batch: int
    features: int
    hidden: int
    directions: int


def add_recurrent(
    node: OnnxNode, graph: GraphBuilder, make: Make, states: int, names: Sequence[str], peephole: int | None = None
) -> tuple[str, ...]:
    """An operator for each direction, and what makes ONNX's outputs of theirs.

    `names` are the default activations of a direction, `states` how many there are, `peephole` the index of input P.
    """
    sizes = _sizes(node, len(names))
    reverses = _reverses(node)
    activations = _activations(node, names, len(reverses))
    lengths = _lengths(node, sizes)
    x = _steps_first(node, graph)
    wants = [node.gives(index) for index in range(3)]
    initial = _initial(node, graph, sizes, states)
    whole = wants[0] and (sizes.steps > 1 or bool(lengths))
    with_cell = states > 1 and wants[2]
    found: list[tuple[str, ...]] = []
    for d, reverse in enumerate(reverses):
        direction = Direction(activations[d], reverse, lengths, whole, bool(initial), with_cell)
        inputs = [x, *_constants(node, graph, sizes, d), *(initial[d] if initial else ())]
        if peephole is not None and node.has(peephole):
            p = weights(node, peephole, "P")
            if p.shape != (sizes.directions, 3 * sizes.hidden):
                raise node.error(f"P {list(p.shape)} must be {[sizes.directions, 3 * sizes.hidden]}")
            inputs.append(graph.constant(p[d].reshape(3, -1), f"{node.name}.P"))
        y = graph.add(make(node, direction), inputs, name=node.name)
        found.append(_parts(graph, y, sizes, direction, wants))
    return tuple(
        _joined(node, graph, [parts[index] for parts in found], sizes, index) if wants[index] else ""
        for index in range(3)
    )


def _parts(
    graph: GraphBuilder, y: str, sizes: _Sizes, direction: Direction, wants: Sequence[bool]
) -> tuple[str, str, str]:
    """(hidden states (steps, batch, hidden), the last (1, batch, hidden), the last cell) of an operator's output, ""
    where they are not wanted."""
    rows = sizes.steps if direction.whole else 1
    shape = (1, sizes.batch, sizes.hidden)

    def row(t: str, begin: int, count: int) -> str:
        return graph.add(Slice((begin, 0, 0), (count, sizes.batch, sizes.hidden), (1, 1, 1)), [t])

    hidden, cell = y, ""
    if direction.with_cell:
        # Both are int16 on one scale here, and what they need outside.
        cell = graph.add(Rescale(), [row(y, rows, 1)]) if wants[2] else ""
        hidden = graph.add(Rescale(), [row(y, 0, rows)]) if wants[0] or wants[1] else ""
    last = hidden if wants[1] else ""
    if wants[1] and direction.whole:
        ends = direction.lengths or (sizes.steps,) * sizes.batch
        places = [0 if direction.reverse else n - 1 for n in ends]
        if len(set(places)) == 1:
            last = row(hidden, places[0], 1)
        else:
            each = [
                graph.add(Slice((place, b, 0), (1, 1, sizes.hidden), (1, 1, 1)), [hidden])
                for b, place in enumerate(places)
            ]
            last = graph.add(Concat(1), each)
    assert not last or graph.tensors[last].shape == shape
    return hidden if wants[0] else "", last, cell


def _joined(node: OnnxNode, graph: GraphBuilder, parts: Sequence[str], sizes: _Sizes, index: int) -> str:
    """An output of ONNX from those of each direction."""
    is_first_layout = not node.attribute("layout", 0)
    if index == 0:
        # (steps, directions, batch, hidden), or with layout 1 (batch, steps, directions, hidden)
        shaped = [graph.add(Reshape((sizes.steps, 1, sizes.batch, sizes.hidden)), [part]) for part in parts]
        y = shaped[0] if len(shaped) == 1 else graph.add(Concat(1), shaped)
        perm: tuple[int, ...] = (2, 0, 1, 3)
    else:
        y = parts[0] if len(parts) == 1 else graph.add(Concat(0), list(parts))
        perm = (1, 0, 2)
    return y if is_first_layout else _turned(graph, y, perm)


def _turned(graph: GraphBuilder, t: str, perm: tuple[int, ...]) -> str:
    """Transposed; a view where only dimensions of one element change places."""
    shape = graph.tensors[t].shape
    kept = [axis for axis in perm if shape[axis] != 1]
    if kept == sorted(kept):
        return graph.add(Reshape(tuple(shape[axis] for axis in perm)), [t])
    return graph.add(Transpose(perm), [t])


def _sizes(node: OnnxNode, activations: int) -> _Sizes:
    """Checked against each other."""
    x, w, r = (node.shape(index) for index in (X, W, R))
    if len(x) != 3 or len(w) != 3 or len(r) != 3:
        raise node.error(f"X {list(x)}, W {list(w)} and R {list(r)} must have 3 dimensions")
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op_type]
    batch_axis = 0 if node.attribute("layout", 0) else 1
    sizes = _Sizes(x[1 - batch_axis], x[batch_axis], x[2], r[2], len(_reverses(node)))
    wanted = ((sizes.directions, gates * sizes.hidden, sizes.features), (sizes.directions, gates * sizes.hidden, r[2]))
    if (w, r) != wanted or node.attribute("hidden_size", sizes.hidden) != sizes.hidden:
        raise node.error(
            f"W {list(w)} and R {list(r)} are not those of {sizes.directions} direction{'s' * (sizes.directions > 1)}, "
            f"{sizes.features} features and hidden_size={node.attribute('hidden_size', sizes.hidden)}"
        )
    if node.has(B) and node.shape(B) != (sizes.directions, 2 * gates * sizes.hidden):
        raise node.error(f"B {list(node.shape(B))} must be {[sizes.directions, 2 * gates * sizes.hidden]}")
    return sizes


def _reverses(node: OnnxNode) -> tuple[bool, ...]:
    """For each direction whether it begins with the last step."""
    kinds: Mapping[str, tuple[bool, ...]] = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    direction = node.attribute("direction", "forward")
    if direction not in kinds:
        raise node.error(f"direction={direction} is not known; use {', '.join(kinds)}")
    return kinds[direction]


CELL = 2  # which activation is of the cell


def _activations(node: OnnxNode, defaults: Sequence[str], directions: int) -> list[tuple[Activation, ...]]:
    """Of each direction. Parameters are listed for those that have such, in their order. What an LSTM shows of its cell
    is of the whole of it, as ONNX Runtime has it: `clip` is for what gates add up."""
    names = tuple(node.attribute("activations", ())) or tuple(defaults) * directions
    if len(names) != len(defaults) * directions:
        raise node.error(f"activations={list(names)} must be {len(defaults) * directions}")
    clip = float(node.attribute("clip", 0.0))
    alphas, betas = (iter(node.attribute(f"activation_{name}", ())) for name in ("alpha", "beta"))
    by_name = {name.lower(): name for name in FUNCTIONS}
    found = []
    size = len(defaults)
    for place, name in enumerate(names):
        known = by_name.get(name.lower())
        if known is None:
            raise node.error(f"activation {name} is not supported; use {', '.join(FUNCTIONS)}")
        values = []
        for index, given in zip(range(FUNCTIONS[known][0]), (alphas, betas), strict=False):
            value = next(given, None)
            if value is None and known not in DEFAULTS:
                raise node.error(f"activation {name} needs activation_{('alpha', 'beta')[index]}")
            values.append(float(DEFAULTS[known][index] if value is None else value))
        alpha, beta = (*values, 0.0, 0.0)[:2]
        of_cell = place % size == CELL
        found.append(Activation(known, alpha, beta, clip if clip > 0 and not of_cell else inf))
    return [tuple(found[size * d : size * (d + 1)]) for d in range(directions)]


def _lengths(node: OnnxNode, sizes: _Sizes) -> tuple[int, ...]:
    """() where all are whole."""
    if not node.has(LENGTHS):
        return ()
    found = tuple(int(v) for v in node.constant(LENGTHS, "sequence_lens").reshape(-1))
    if len(found) != sizes.batch or not all(1 <= n <= sizes.steps for n in found):
        raise node.error(
            f"sequence_lens={list(found)} must be {sizes.batch} numbers from 1 to the {sizes.steps} steps of X"
        )
    return () if set(found) == {sizes.steps} else found


def _steps_first(node: OnnxNode, graph: GraphBuilder) -> str:
    """x (steps, batch, features)."""
    x = node.computed(X)
    return _turned(graph, x, (1, 0, 2)) if node.attribute("layout", 0) else x


def _constants(node: OnnxNode, graph: GraphBuilder, sizes: _Sizes, d: int) -> list[str]:
    """Weights, recurrent weights and biases (2, rows) of a direction."""
    names = []
    for index, what in ((W, "W"), (R, "R")):
        names.append(graph.constant(weights(node, index, what)[d], f"{node.name}.{what}", _rows_quant(node, index, d)))
    rows = node.shape(W)[1]
    bias = weights(node, B, "B")[d] if node.has(B) else np.zeros(2 * rows, np.float32)
    return [*names, graph.constant(bias.reshape(2, rows), f"{node.name}.B")]


def _rows_quant(node: OnnxNode, index: int, d: int) -> Quant | None:
    """The quantization that weights of a direction came with, where it is one for all of them or one a row."""
    given = node.given(index)
    if given is None or given.lost or given.axis == 2:
        return None
    return Quant(given.scale[d : d + 1] if given.axis == 0 else given.scale)


def _initial(node: OnnxNode, graph: GraphBuilder, sizes: _Sizes, states: int) -> list[list[str]]:
    """For each direction the states (batch, hidden) to begin with; nothing where all are 0."""
    given = [index for index in range(INITIAL, INITIAL + states) if node.has(index) and not _is_zero(node, index)]
    if not given:
        return []
    shape: Shape = (sizes.directions, sizes.batch, sizes.hidden)
    first = not node.attribute("layout", 0)
    wanted = shape if first else (shape[1], shape[0], shape[2])
    found: list[list[str]] = [[] for _ in range(sizes.directions)]
    for index in range(INITIAL, INITIAL + states):
        what = ("initial_h", "initial_c")[index - INITIAL]
        if index in given and node.shape(index) != wanted:
            raise node.error(f"{what} {list(node.shape(index))} must be {list(wanted)}")
        if index not in given or node.is_constant(index):
            data = weights(node, index, what) if index in given else np.zeros(wanted, np.float32)
            data = data if first else data.transpose(1, 0, 2)
            for d in range(sizes.directions):
                found[d].append(graph.constant(np.ascontiguousarray(data[d]), f"{node.name}.{what}"))
            continue
        state = node.computed(index) if first else _turned(graph, node.computed(index), (1, 0, 2))
        for d in range(sizes.directions):
            one = state
            if sizes.directions > 1:
                one = graph.add(Slice((d, 0, 0), (1, sizes.batch, sizes.hidden), (1, 1, 1)), [state])
            found[d].append(graph.add(Reshape((sizes.batch, sizes.hidden)), [one]))
    return found


def _is_zero(node: OnnxNode, index: int) -> bool:
    if not node.is_constant(index):
        return False
    data: Array = weights(node, index, "initial states")
    return not data.any()
