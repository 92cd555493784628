"""What is done behind a model, of what its simulator or its C gave: results in order, by the twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from mcuq.compile import CompiledModel
from mcuq.dataset import Dataset
from mcuq.dataset.sequences import Sequences
from mcuq.graph.states import RESET
from mcuq.graph.tensor import Array
from mcuq.validate.bits import integer_batches

Batch = Mapping[str, Array]


class Results:
    """Of all samples as one stream of inferences, or of each sequence as one; empty where nothing is behind a model."""

    def __init__(self, model: CompiledModel) -> None:
        self.found: list[Any] = []
        self._twin = model.twin()
        if self._twin is not None:
            self._twin.begin()
        self._batch: Batch = {}
        self._begins = self._seen = 0

    def watch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches as they are; `see` then gets the outputs of one's samples, in order."""
        for batch in batches:
            self._batch, self._begins = batch, self._seen
            yield batch

    def see(self, sample: int, outputs: Batch) -> None:
        """Outputs of one sample of the batch that was taken last."""
        index = sample - self._begins
        self._seen = sample + 1
        self.add({k: x[index : index + 1] for k, x in self._batch.items()}, {k: x[None] for k, x in outputs.items()})

    def add(self, inputs: Batch, outputs: Batch) -> None:
        """Of several samples."""
        if self._twin is None:
            return
        if RESET not in inputs:
            self.found += self._twin.of(inputs, outputs)
            return
        first = np.flatnonzero(inputs[RESET])
        for part in np.split(np.arange(len(inputs[RESET])), first):
            if len(part) and part[0] in first:
                self._twin.begin()
            if len(part):
                self.found += self._twin.of(*({k: x[part] for k, x in own.items()} for own in (inputs, outputs)))


def simulated(model: CompiledModel, dataset: Dataset | Sequences) -> list[Any]:
    """What comes of a data set; nothing is simulated where nothing is behind the model."""
    results = Results(model)
    if model.after is not None:
        calls = model.calls()
        for batch in integer_batches(model.graph, dataset):
            results.add(batch, calls.run(batch))
    return results.found


def result_json(result: Any) -> Any:
    """As JSON has it."""
    if isinstance(result, np.ndarray):
        return result.tolist()
    if isinstance(result, Mapping):
        return {name: result_json(own) for name, own in result.items()}
    if isinstance(result, (list, tuple)):
        return [result_json(own) for own in result]
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


SHOWN = 10


def result_lines(results: list[Any]) -> Iterator[str]:
    """The first of them for people."""
    for number, result in enumerate(results[:SHOWN]):
        yield f"  after {number:<5} {_text(result)}"
    if len(results) > SHOWN:
        yield f"  after       and {len(results) - SHOWN:,} more: --json has all"


def _text(result: Any) -> str:
    if isinstance(result, Mapping):
        few = {name: " ".join(f"{v:.4g}" for v in own.reshape(-1)[:6].tolist()) for name, own in result.items()}
        return "; ".join(f"{name}: {few[name]}{' ...' if own.size > 6 else ''}" for name, own in result.items())
    if isinstance(result, list):
        return ", ".join(map(str, result)) or "nothing"
    return str(result)
