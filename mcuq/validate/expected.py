"""Samples with the outputs that the simulator computes: a batch ahead of the device, once for all devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from types import TracebackType

from mcuq.graph.ir import Graph
from mcuq.graph.states import Calls, wire_graph
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_tensors


@dataclass(frozen=True)
class Sample:
    """All inputs, and all outputs as they should be, each one after the other in the model's order, as bytes."""

    inputs: bytes
    outputs: bytes


class Expected:
    """Any number of threads may go through the samples; they are simulated once, in a thread of their own."""

    def __init__(
        self,
        graph: Graph,
        batches: Iterator[Mapping[str, Array]],
        as_given: Callable[[Mapping[str, Array]], Mapping[str, Array]] = lambda batch: batch,
        calls: Calls | None = None,
    ) -> None:
        """`batches` are inputs by name as the graph takes them, (samples, *shape); `as_given` puts them into the order
        in which the device takes them. Of a graph with states they are calls in order, which `calls` simulates; each
        has the bytes of the states among its inputs and its outputs, so that it can be repeated."""
        self._graph = wire_graph(graph)
        self._calls = calls or Calls(graph)
        self._as_given = as_given
        self._batches = batches
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._lock = Lock()
        self._futures: list[Future[list[Sample]]] = []

    def __enter__(self) -> Expected:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[Sample]:
        index = 0
        while batch := self._batch(index):
            yield from batch
            index += 1

    def _batch(self, index: int) -> list[Sample]:
        """Empty after the last one. The following batch is begun before anyone asks for it."""
        with self._lock:
            while len(self._futures) < index + 2:
                self._futures.append(self._pool.submit(self._simulate_next))
        return self._futures[index].result()

    def _simulate_next(self) -> list[Sample]:
        batch = next(self._batches, None)
        if batch is None:
            return []
        found = self._calls.run(batch)
        inputs = _joined({**self._as_given(batch), **found}, self._graph.inputs)
        outputs = _joined(found, self._graph.outputs)
        return [Sample(*both) for both in zip(inputs, outputs, strict=True)]


def _joined(values: Mapping[str, Array], names: tuple[str, ...]) -> list[bytes]:
    """Each sample's tensors as bytes, one after the other."""
    count = len(next(iter(values.values())))
    return [join_tensors({name: values[name][i] for name in names}, names) for i in range(count)]
