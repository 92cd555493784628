"""The magnitudes of what operators hold inside, such as the cells of recurrent ones: seen in calibration beside the
ranges of tensors, and given to the operators where the graph is quantized."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from mcuq.graph.ir import Graph, Node
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array

Range = tuple[float, float]
_MARK = "\0"  # between the name of a node's output and that of what is held, as no tensor's name has it


class HeldMagnitudes:
    """Observes what the operators of a graph read, and works out what they then hold."""

    def __init__(self, graph: Graph, without: Collection[str] = ()) -> None:
        """Operators whose outputs are in `without` compute in floats."""
        self._layers = [layer for layer in graph.layers() if layer.op.holds and layer.output.name not in without]
        self._found: dict[str, float] = {}

    @property
    def names(self) -> Collection[str]:
        """The tensors that it looks at."""
        return dict.fromkeys(t.name for layer in self._layers for t in layer.activations)

    def add(self, values: Mapping[str, Array]) -> None:
        """Take a sample in."""
        for layer in self._layers:
            for name, magnitude in layer.op.held_magnitudes(layer, _inputs(layer, values)).items():
                key = f"{layer.output.name}{_MARK}{name}"
                self._found[key] = max(self._found.get(key, 0.0), magnitude)

    def ranges(self) -> dict[str, Range]:
        """What was found, under names that are no tensor's."""
        return {key: (-magnitude, magnitude) for key, magnitude in self._found.items()}


def _inputs(layer: Layer, values: Mapping[str, Array]) -> list[Array]:
    return [t.values if t.is_constant else values[t.name].reshape(1, *t.shape) for t in layer.inputs]


def told(node: Node, ranges: Mapping[str, Range]) -> Node:
    """The node whose operator knows what `ranges` say of what it holds."""
    if not node.op.holds:
        return node
    prefix = f"{node.output}{_MARK}"
    found = {key.removeprefix(prefix): span[1] for key, span in ranges.items() if key.startswith(prefix)}
    return replace(node, op=node.op.with_held(found)) if found else node
