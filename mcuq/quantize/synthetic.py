"""Inputs made up where the user gives none: enough to compile, not to trust the accuracy."""

from __future__ import annotations

import numpy as np

from mcuq.dataset import Dataset, InputSpec, from_arrays
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.indices import indexed

SAMPLES = 16


def input_specs(graph: Graph) -> tuple[InputSpec, ...]:
    """Names and shapes of the inputs that the caller gives, for reading data."""
    tensors = [graph.tensors[name] for name in graph.given_inputs]
    return tuple(InputSpec(t.name, t.shape, (t.integers.low, t.integers.high) if t.integers else None) for t in tensors)


def synthetic_dataset(graph: Graph, gain: float = 1.0) -> Dataset:
    """The same 16 samples each time: one half normal with deviation `gain`, one half uniform in [0, gain].

    Integers are from 0 up, as far as the input takes them, what they are indices of has them, and a byte holds them.
    """
    rng = np.random.default_rng(0)
    specs = input_specs(graph)

    def made_up(spec: InputSpec) -> Array:
        if spec.integers is not None:
            low, high = indexed(graph, spec.name).narrowest or spec.integers
            return rng.integers(max(low, 0), min(high, 255) + 1, (SAMPLES, *spec.shape)).astype(np.float32)
        halves = [rng.normal(size=(SAMPLES // 2, *spec.shape)), rng.uniform(size=(SAMPLES // 2, *spec.shape))]
        return gain * np.concatenate(halves).astype(np.float32)

    return from_arrays({spec.name: made_up(spec) for spec in specs}, specs)
