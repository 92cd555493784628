"""Tensors that share one scale, and the quantizations that came with the model."""

from __future__ import annotations

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant


class Groups:
    """Sets of tensors with one scale: union-find."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        """The tensor that stands for all of its set."""
        while (parent := self._parent.get(name, name)) != name:
            name = parent
        return name

    def join(self, a: str, b: str) -> None:
        """Make one set of two."""
        self._parent[self.root(a)] = self.root(b)


def scale_groups(graph: Graph) -> Groups:
    """Tensors between which values are only moved, and both ends of states."""
    groups = Groups()
    for layer in graph.layers():
        if layer.op.shares_scale:
            for t in layer.moved:
                if not t.is_constant and t.integers is None:
                    groups.join(layer.output.name, t.name)
    for state in graph.states:
        groups.join(state.output, state.input)
    return groups


def given_quants(graph: Graph, groups: Groups) -> dict[str, Quant]:
    """The quantization of each tensor, not a constant, that has a given one or shares its scale with one that has."""
    computed = [t for t in graph.tensors.values() if not t.is_constant]
    roots = {groups.root(t.name): t.quant for t in computed if t.quant is not None}
    return {t.name: roots[groups.root(t.name)] for t in computed if groups.root(t.name) in roots}
