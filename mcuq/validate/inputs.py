"""The int8 inputs of a comparison: those of a data set, or made-up ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from mcuq.compile import CompiledModel, Data, calls_for
from mcuq.graph.tensor import Array
from mcuq.validate.bits import BATCH, integer_batches, probe_inputs


def int8_inputs(
    model: CompiledModel, data: Data | None, samples: int | None
) -> tuple[int, Iterator[Mapping[str, Array]]]:
    """(how many, batches (samples, *shape)): the first `samples` of data as for compile, all of them by default.

    Without data they are made up and reach both extremes. Raises DataError where the data cannot be read.
    """
    if data is None:
        probes = probe_inputs(model.graph)
        available = len(next(iter(probes.values())))
        count = min(samples or available, available)
        return count, iter([{name: x[:count] for name, x in probes.items()}])
    dataset = calls_for(model.graph, model.heard(data))
    count = min(samples or len(dataset), len(dataset))
    return count, _first(integer_batches(model.graph, dataset), count)


def _first(batches: Iterator[Mapping[str, Array]], count: int) -> Iterator[Mapping[str, Array]]:
    """Batches up to `count` samples."""
    for batch in islice(batches, -(-count // BATCH)):
        yield {name: x[:count] for name, x in batch.items()}
        count -= BATCH
