"""States in integers: of 16 bits where what is computed of them comes back to them, else of the bits of activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuq.graph.ir import Graph, Node
from mcuq.quantize.scheme import LayerScheme, Scheme

# Rounding errors of a state that is computed of itself add up from call to call. What is only moved, such as frames
# that a convolution reads again, has no more than 8 bits to lose.
FEEDBACK: Mapping[str, str] = {"int8": "int16"}


def for_states(graph: Graph, scheme: Scheme) -> Scheme:
    """The scheme with the type of each state, by its input, and of the layers that compute it.

    Layers that compute states keep their weights' type.
    """
    layers: dict[str, LayerScheme] = {}
    types: list[tuple[str, str]] = []
    for state in graph.states:
        makers = _makers(graph, state.output)
        computed = [node for node in makers if state.input in _sources(graph, node.output)]
        dtype = scheme.default.activations
        finer = FEEDBACK.get(dtype)
        if finer is not None and computed and all(_can(node, scheme, finer) for node in computed):
            dtype = finer
            for node in makers:
                own = scheme.of(*node.names)
                if _can(node, scheme, finer):
                    layers[node.name] = LayerScheme(own.weights, finer)
        types.append((state.input, dtype))
    return replace(scheme, layers={**layers, **scheme.layers}, states=tuple(types))


def _can(node: Node, scheme: Scheme, finer: str) -> bool:
    """Whether the layer can write such numbers, and would write coarser ones or these."""
    own = scheme.of(*node.names).activations
    return finer in node.op.dtypes and finer in (own, FEEDBACK.get(own))


def _makers(graph: Graph, name: str) -> list[Node]:
    """The nodes that compute what is then only moved into a tensor."""
    producers = graph.producers()
    found: dict[str, Node] = {}
    pending, seen = [name], {name}
    while pending:
        node = producers.get(pending.pop())
        if node is None:
            continue
        if not node.op.shares_scale:
            found[node.output] = node
            continue
        moved = [t.name for t in graph.layer(node).moved if t.name not in seen]
        seen.update(moved)
        pending += moved
    return list(found.values())


def _sources(graph: Graph, name: str) -> set[str]:
    """All tensors that one depends on."""
    producers = graph.producers()
    pending, seen = [name], {name}
    while pending:
        node = producers.get(pending.pop())
        new = [i for i in node.inputs if i not in seen] if node is not None else []
        seen.update(new)
        pending += new
    return seen
