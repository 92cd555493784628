"""Masks that are no Softmax's own: integers that reach so far hold no scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mcuq.dataset.samples import Sample
from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Quant
from mcuq.ops.add import Add
from mcuq.ops.compare import Compare
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.masked_softmax import NEAR, NOTHING, MaskedSoftmax
from mcuq.ops.moves import Moves
from mcuq.ops.softmax import Softmax
from mcuq.quantize.calibrate import Range


def check_added_masks(graph: Graph, ranges: Mapping[str, Range]) -> None:
    """Raise QuantizationError where one of two computed tensors of which a Softmax reads the sum reaches below NOTHING
    and the other does not."""
    producers = graph.producers()
    for node in graph.nodes:
        add = producers.get(node.inputs[0]) if type(node.op) is Softmax else None
        if add is None or not isinstance(add.op, Add) or add.output not in ranges:
            continue
        lows = {ranges[name][0]: name for name in add.inputs if name in ranges}
        if len(lows) == 2 and min(lows) < NOTHING <= max(lows):
            raise QuantizationError(
                f"Softmax '{node.name}': '{lows[min(lows)]}' adds numbers down to {min(lows):.3g} to its scores, which "
                "integers of that range do not tell apart; make the mask an input of booleans, or of 0 and 1, by which "
                "Where chooses the scores, or use --scheme float32"
            )


def check_scores(graph: Graph, quants: Mapping[str, Quant]) -> None:
    """Raise QuantizationError where the scores of a Softmax or LogSoftmax, in the integers that were found for them,
    are so far apart as what a mask leaves out is from the rest, and are made of such numbers."""
    producers = graph.producers()
    for node in graph.nodes:
        quant = quants.get(node.inputs[0])
        if quant is None or not isinstance(node.op, Softmax | LogSoftmax):
            continue
        low, high = quant.real_bounds
        if max(-low, high) > -NOTHING and _is_made_of_large_numbers(graph, producers, node.inputs[0]):
            raise QuantizationError(
                f"{type(node.op).__name__} '{node.name}': its scores reach from {low:.3g} to {high:.3g}, which "
                "integers do not tell apart; where that is of a mask, let one Where or Add put it into the scores of "
                "one Softmax along the last dimension, which nothing else reads, or use --scheme float32"
            )


def _is_made_of_large_numbers(graph: Graph, producers: Mapping[str, Node], name: str) -> bool:
    """Whether a constant of numbers such as masks have is, element by element or moved, in what a tensor is made of."""
    names, seen = [name], {name}
    while names:
        node = producers.get(names.pop())
        if node is None or not _keeps_elements(graph, node):
            continue
        read = [graph.tensors[own] for own in node.inputs]
        if any(t.is_constant and (np.abs(t.values) > -NOTHING).any() for t in read):
            return True
        new = {t.name for t in read if not t.is_constant} - seen
        names += sorted(new)
        seen |= new
    return False


def _keeps_elements(graph: Graph, node: Node) -> bool:
    """Whether none of the node's outputs is a sum of several of an input's elements."""
    layer = graph.layer(node)
    scales = layer.op.macs(layer) == layer.output.elements
    return layer.op.is_elementwise or layer.op.is_view or isinstance(layer.op, Moves) or scales


def check_real_masks(graph: Graph, data: Iterable[Sample]) -> None:
    """Raise QuantizationError where a mask of real values has others than 0 and 1 in the samples."""
    if not (masks := real_masks(graph)):
        return
    for sample in data:
        for name, softmax in masks.items():
            x = np.asarray(sample[name])
            others = x[(x != 0) & (x != 1)]
            if others.size:
                raise QuantizationError(
                    f"Softmax '{softmax}': input '{name}' is read as its mask of zeros and ones, but has "
                    f"{others.flat[0]:.3g} in the samples; let a comparison of it choose the scores"
                )


def real_masks(graph: Graph) -> dict[str, str]:
    """Inputs of real values that are read as masks of zeros and ones, and the Softmax that each is for."""
    producers = graph.producers()

    def before_moves(name: str) -> str:
        while name in producers and isinstance(producers[name].op, Moves):
            name = producers[name].inputs[0]
        return name

    found: dict[str, str] = {}
    for node in graph.nodes:
        compared = producers.get(before_moves(node.inputs[1])) if isinstance(node.op, MaskedSoftmax) else None
        if compared is None or not isinstance(compared.op, Compare):
            continue
        limit, mask = graph.tensors[compared.inputs[1]], before_moves(compared.inputs[0])
        is_near = limit.is_constant and bool(np.isin(limit.values, np.array([NEAR, 1 - NEAR], np.float32)).all())
        if is_near and mask in graph.inputs:
            found.setdefault(mask, node.source or node.name)
    return found


def notes_of_masks(graph: Graph, floats: frozenset[str]) -> tuple[str, ...]:
    """What a user should know of masks of real values, and of rows of scores that a mask leaves nothing of."""
    of_reals = tuple(
        f"'{mask}' is read as a mask of zeros and ones, as it makes large numbers for the scores of '{softmax}'"
        for mask, softmax in real_masks(graph).items()
    )
    return of_reals + _notes_of_nothing(graph, floats)


def _notes_of_nothing(graph: Graph, floats: frozenset[str]) -> tuple[str, ...]:
    names = [
        node.source or node.name
        for node in graph.nodes
        if node.op == MaskedSoftmax(empty="nan") and node.output not in floats
    ]
    if not names:
        return ()
    return (
        f"'{names[0]}' makes NaN of a row of which its mask keeps nothing, where integers have 0: keep something in "
        "each row, or use --scheme float32",
    )
