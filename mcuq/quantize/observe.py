"""One run of the float network over calibration data: all that is measured of its activations looks on together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel


class Observer(Protocol):
    """Measures activations as they pass: memory must not grow with the number of samples."""

    @property
    def names(self) -> Collection[str]:
        """The tensors that it looks at, inputs of the graph among them or not."""

    def add(self, values: Mapping[str, Array]) -> None:
        """Take in the float32 values (shape) of those tensors for one sample; others may be there too."""


class Only:
    """An observer that sees no samples but those with the given indices."""

    def __init__(self, observer: Observer, indices: Collection[int]) -> None:
        self._observer = observer
        self._indices = frozenset(indices)
        self._count = 0

    @property
    def names(self) -> Collection[str]:
        """As the observer's."""
        return self._observer.names

    def add(self, values: Mapping[str, Array]) -> None:
        """Pass on what is of one of the samples."""
        if self._count in self._indices:
            self._observer.add(values)
        self._count += 1


def observe(
    graph: Graph,
    samples: Iterable[Mapping[str, Array]],
    observers: Sequence[Observer],
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Run the float graph once over the samples, float32 inputs by name, for all observers; `tick` after each sample.

    Nothing is run where nobody looks at anything.
    """
    names = list(dict.fromkeys(name for observer in observers for name in observer.names))
    if not names:
        return
    computed = [name for name in names if name not in graph.inputs]
    model = FloatModel(write_onnx(graph, [*computed, *(o for o in graph.outputs if o not in computed)]))
    for sample in samples:
        values = {**sample, **model.run(sample, computed)}
        for observer in observers:
            observer.add(values)
        tick()
