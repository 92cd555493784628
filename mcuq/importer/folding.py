"""How much constant expressions may take: a file of a few bytes can ask for any memory and any time."""

from __future__ import annotations

import time
from collections.abc import Mapping

import onnx

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer.constants import evaluate

# Beside what is a multiple of the weights that the file has: 2^26 floats, more than a microcontroller has flash for.
SPARE_BYTES = 2**28
TIMES_STORED = (
    16  # what weights may become on their way, in all steps together: int8 dequantized is four times as large
)
LIMIT_S = 30.0


class Folding:
    """Computes a model's constant nodes, one after another, within one allowance of memory and time."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._most_bytes = SPARE_BYTES + TIMES_STORED * sum(t.ByteSize() for t in model.graph.initializer)
        self._bytes = 0
        self._taken_s = 0.0

    def evaluate(self, node: onnx.NodeProto, constants: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of a node whose inputs are all constant. Raises ModelError where they are too large or late."""
        where = f"{node.op_type} '{node.name or node.output[0]}'"
        started = time.monotonic()
        values = evaluate(node, constants, self.model, self._most_bytes)
        self._taken_s += time.monotonic() - started
        self._bytes += sum(value.nbytes for value in values.values())
        if self._bytes > self._most_bytes:
            raise ModelError(
                f"{where}: is constant, and with it the model's computed constants take {self._bytes:,} bytes; "
                f"supported are {self._most_bytes:,}; store the weights that they are made into"
            )
        if self._taken_s > LIMIT_S:
            raise ModelError(
                f"{where}: is constant, and computing the model's constants up to it takes more than {LIMIT_S:.0f} s; "
                "store the weights that they are made into"
            )
        return values
