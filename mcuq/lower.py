"""Chooses a kernel for each layer: integer Graph + CPU features -> Program."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from mcuq.ir import Graph
from mcuq.operator import Call, Kernel, Layer
from mcuq.tensor import Array


@dataclass(frozen=True, eq=False)
class Step:
    """A layer and the kernel calls that compute it; a view has none."""

    layer: Layer
    calls: tuple[Call, ...]

    @property
    def scratch_bytes(self) -> int:
        """Most working memory that one of the calls needs."""
        return max((call.scratch_bytes for call in self.calls), default=0)


@dataclass(frozen=True, eq=False)
class Program:
    """What is emitted: the steps of an integer graph in order."""

    graph: Graph
    steps: tuple[Step, ...]

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases, multipliers and tables; equal arrays are emitted once."""
        arrays = (array for step in self.steps for call in step.calls for array in call.arrays.values())
        return sum(array.nbytes for array in {array_key(array): array for array in arrays}.values())


def array_key(array: Array) -> tuple[str, bytes]:
    """What tells constant arrays apart in C: type and values. Kernels see no shapes."""
    return array.dtype.name, np.ascontiguousarray(array).tobytes()


def lower(graph: Graph, features: Set[str] = frozenset()) -> Program:
    """The program for a CPU with the given features. Raises ModelError for a layer that no kernel can compute."""
    steps = []
    for layer in graph.layers():
        calls = () if layer.op.is_view else choose_kernel(layer, features).lower(layer.op, layer)
        steps.append(Step(layer, calls))
    return Program(graph, tuple(steps))


def choose_kernel(layer: Layer, features: Set[str]) -> Kernel:
    """The first kernel of the operator that the CPU can run and that takes the layer."""
    for kernel in layer.op.kernels:
        if kernel.needs <= features and kernel.accepts(layer.op, layer):
            return kernel
    raise NotImplementedError(f"{layer.where} has no portable kernel")
