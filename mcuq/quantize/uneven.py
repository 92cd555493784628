"""Tells of tensors whose channels differ so much that one scale loses some, where no factors could help."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuq.graph.ir import Graph, Node
from mcuq.ops.weighted_operator import is_depthwise, is_weighted
from mcuq.quantize.groups import scale_groups
from mcuq.quantize.seen import Seen
from mcuq.quantize.sensitivity import sensitivities

# A layer is told of that reads its input with an error above 20 dB, of which 12 dB are the channels'. The reference
# networks have none.
_HARM = 1e-2
_WORTH = 1 / 16


def uneven_notes(graph: Graph, seen: Mapping[str, Seen], steps: Mapping[str, float]) -> tuple[str, ...]:
    """A sentence for each tensor that a layer's weights read, the input's own excepted; `steps` as `level` has it."""
    groups, readers, producers = scale_groups(graph), graph.consumers(), graph.producers()
    reach: dict[str, float] = {}
    for name, own in seen.items():
        root = groups.root(name)
        reach[root] = max(reach.get(root, 0.0), float(own.largest.max()))
    of_input = {groups.root(name) for name in graph.inputs}
    read = sensitivities(graph, seen)
    notes = []
    for name, own in seen.items():
        mixed = [n for n in readers.get(name, []) if is_weighted(graph.layer(n)) and not is_depthwise(graph.layer(n))]
        if name not in steps or not mixed or groups.root(name) in of_input:
            continue
        largest = own.largest.max(axis=0)
        step = (2 if own.signed else 1) / steps[name]
        error = float(read[name].sum()) * (reach[groups.root(name)] * step) ** 2 / 12
        least = float((read[name] * (largest * step) ** 2).sum()) / 12
        if error > _HARM and least < _WORTH * error:
            counted = largest[(largest > 0) & (read[name] > 0)]
            ratio = reach[groups.root(name)] / float(np.min(counted))
            notes.append(
                f"channels of '{name}' differ in range by {ratio:.0f}:1, which '{mixed[0].name}' makes up for by its "
                f"weights, and {_obstacle(graph, producers, name)} keeps them from being brought to one scale: expect "
                f"{max(0, round(-10 * np.log10(error)))} dB there; give that layer and the one before int16 activations"
            )
    return tuple(notes)


def _obstacle(graph: Graph, producers: Mapping[str, Node], name: str) -> str:
    """What stands before the tensor's reader, or reads it besides."""
    node = producers[name]
    return f"'{node.name}' ({type(node.op).__name__})"
