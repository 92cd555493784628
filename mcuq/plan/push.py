"""The input that comes row by row: of which tensor the caller gives rows, and which layers read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.lower import Program

GIVEN = ""  # stands for the rows that the caller gives, which nobody holds: no tensor is called so


@dataclass(frozen=True)
class Pushed:
    """Of `input` the caller gives rows of `tensor`: itself, or what views make of it, or a layer, `taken`, that comes
    first and takes elements here and there, as a transposition does: that one is the caller's then. Steps `first` to
    `last` read the tensor."""

    input: str
    tensor: str
    first: int
    last: int
    taken: str = ""


def find_pushed(program: Program) -> Pushed:
    """What can be pushed of a program. Raises ModelError where nothing can."""
    graph = program.graph
    if len(graph.inputs) != 1:
        raise refused(graph, f"it has {len(graph.inputs)} inputs, and rows come of one")
    name = graph.inputs[0]
    layers = list(graph.layers())
    taken = ""
    tensor = name
    while True:
        if tensor in graph.outputs:
            raise refused(graph, f"'{tensor}' is an output too, all of which is to be kept")
        readers = [i for i, layer in enumerate(layers) if any(t.name == tensor for t in layer.inputs)]
        first = layers[readers[0]] if readers else None
        if first is None:
            raise refused(graph, f"no layer reads '{tensor}'")
        is_moved = not taken and first.op.row_pitch(first, 1) is not None
        if not first.op.is_view and not is_moved:
            break
        if len(readers) > 1:
            others = ", ".join(f"'{layers[i].name}'" for i in readers)
            raise refused(graph, f"{others} read '{tensor}', each in an order of its own")
        if is_moved:
            taken = first.name
        tensor = first.output.name
    return Pushed(name, tensor, readers[0], readers[-1], taken)


def without_taken(program: Program, pushed: Pushed) -> Program:
    """The program without calls of the layer that the caller takes over."""
    steps = (replace(step, calls=()) if step.layer.name == pushed.taken else step for step in program.steps)
    return replace(program, steps=tuple(steps))


def refused(graph: Graph, why: str) -> ModelError:
    """The error for a model of which nothing can be pushed."""
    return ModelError(
        f"model '{graph.name}': --push: its input cannot come row by row: {why}; compile it without --push"
    )
