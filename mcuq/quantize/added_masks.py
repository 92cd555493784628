"""Masks of real values that are added to scores: integers that reach so far hold no scores."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph
from mcuq.ops.add import Add
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.softmax import Softmax
from mcuq.quantize.calibrate import Range

NOTHING = -9999.0  # as in passes/mask_softmax.py


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


def notes_of_masks(graph: Graph, floats: frozenset[str]) -> tuple[str, ...]:
    """What a user should know of rows of scores that a mask leaves nothing of."""
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
