"""What an input of integers is an index of, behind what only moves it."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.ir import Graph
from mcuq.ops.moves import Moves


@dataclass(frozen=True)
class Indexed:
    """Ranges, (least, greatest), of the indices that readers take; `alone`: whether nothing reads it otherwise."""

    ranges: tuple[tuple[int, int], ...]
    alone: bool

    @property
    def widest(self) -> tuple[int, int] | None:
        """What means something to one of the readers; None where there are none."""
        return (min(low for low, _ in self.ranges), max(high for _, high in self.ranges)) if self.ranges else None

    @property
    def narrowest(self) -> tuple[int, int] | None:
        """What means something to all of them."""
        return (max(low for low, _ in self.ranges), min(high for _, high in self.ranges)) if self.ranges else None


def indexed(graph: Graph, name: str) -> Indexed:
    """What the tensor chooses from."""
    consumers = graph.consumers()
    ranges, alone, pending = [], True, [name]
    while pending:
        tensor = pending.pop()
        alone = alone and tensor not in graph.outputs
        for node in consumers.get(tensor, ()):
            layer = graph.layer(node)
            for index in (i for i, own in enumerate(node.inputs) if own == tensor):
                found = node.op.indices_of(layer.inputs, index)
                if found is not None:
                    ranges.append(found)
                elif isinstance(node.op, Moves):
                    pending.append(node.output)
                else:
                    alone = False
    return Indexed(tuple(ranges), alone)
