"""What is emitted: the layers of an integer graph in order, each with the kernel calls that compute it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.liveness import Storage, hands_over
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import Below, common_bytes
from mcuq.lower.goal import Goal
from mcuq.lower.placement import INLINE, Placement
from mcuq.lower.solver import Solver


@dataclass(frozen=True, eq=False)
class Step:
    """A layer and the kernel calls that compute it; a view has none. `asks` is what kernels may have beside the CPU's
    features."""

    layer: Layer
    calls: tuple[Call, ...]
    asks: frozenset[str] = frozenset()

    @property
    def scratch_bytes(self) -> int:
        """The working memory that the calls share."""
        return scratch_bytes(self.calls)

    @property
    def below(self) -> Below | None:
        """Where its output may lie over its one computed input; None: nowhere, as several calls or inputs are read."""
        readers = [call for call in self.calls if call.inputs]
        return readers[0].below if len(readers) == 1 and len(self.layer.activations) == 1 else None

    def saved_bytes(self, storage_of: Mapping[str, Storage], index: int) -> int:
        """How many bytes its output shares with its input where it lies as near as it may; `index` is the step's."""
        if self.below is None:
            return 0
        x, y = storage_of[self.layer.activations[0].name], storage_of[self.layer.output.name]
        return common_bytes(x.size_bytes, y.size_bytes, self.below.at_least) if hands_over(x, y, index) else 0


def scratch_bytes(calls: Sequence[Call]) -> int:
    """Bytes of working memory that the calls of one layer share."""
    return max((call.scratch_offset + call.scratch_bytes for call in calls), default=0)


@dataclass(frozen=True, eq=False)
class Program:
    """The steps of an integer graph in order, what they are optimized for, what GCC is told for it, and where constants
    go; those of `fast`, by `array_key`, into faster memory. `solver` finds the places of tensors."""

    graph: Graph
    steps: tuple[Step, ...]
    goal: Goal = "balanced"
    gcc_options: tuple[str, ...] = ()
    placement: Placement = INLINE
    fast: frozenset[tuple[str, bytes]] = frozenset()
    solver: Solver = "search"

    @property
    def more(self) -> float:
        """About the instructions beyond those of the fastest kernels, for less scratch."""
        return sum(call.more for step in self.steps for call in step.calls)

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases, multipliers and tables; equal arrays are emitted once."""
        arrays = (array for step in self.steps for call in step.calls for array in call.arrays.values())
        return sum(array.nbytes for array in {array_key(array): array for array in arrays}.values())


def array_key(array: Array) -> tuple[str, bytes]:
    """What tells constant arrays apart in C: type and values. Kernels see no shapes."""
    return array.dtype.name, np.ascontiguousarray(array).tobytes()
