"""Inputs made up where the user gives none: enough to compile, not to trust the accuracy."""

from __future__ import annotations

import numpy as np

from mcuq.dataset import Dataset, InputSpec, from_arrays
from mcuq.graph.ir import Graph

SAMPLES = 16


def input_specs(graph: Graph) -> tuple[InputSpec, ...]:
    """Names and shapes of the graph's inputs, for reading data."""
    return tuple(InputSpec(name, graph.tensors[name].shape) for name in graph.inputs)


def synthetic_dataset(graph: Graph, gain: float = 1.0) -> Dataset:
    """The same 16 samples each time: one half normal with deviation `gain`, one half uniform in [0, gain]."""
    rng = np.random.default_rng(0)
    specs = input_specs(graph)
    arrays = {
        spec.name: gain
        * np.concatenate(
            [rng.normal(size=(SAMPLES // 2, *spec.shape)), rng.uniform(size=(SAMPLES // 2, *spec.shape))]
        ).astype(np.float32)
        for spec in specs
    }
    return from_arrays(arrays, specs)
