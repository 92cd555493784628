"""Chooses a kernel for each layer: the first that the CPU can run, or those that are smallest together."""

from __future__ import annotations

from collections.abc import Set

from mcuq.ir import Graph
from mcuq.lower.goal import Goal, gcc_options
from mcuq.lower.program import Program, Step
from mcuq.lower.share import share_functions
from mcuq.lower.smallest import smallest_calls
from mcuq.operator import Kernel, Layer


def lower(graph: Graph, features: Set[str] = frozenset(), goal: Goal = "balanced") -> Program:
    """The program for a CPU with the given features. Raises ModelError for a layer that no kernel can compute.

    `balanced` and `speed` take the first kernel that a CPU and a layer allow, each function for sizes of its own;
    `size` takes the kernels with the least constants and code, whose functions read at run time what differs.
    """
    layers = list(graph.layers())
    if goal == "size":
        wanted = features | {"size"}
        choices = [[k.lower(layer.op, layer) for k in fitting_kernels(layer, wanted)] for layer in layers]
        work = [layer.op.macs(layer) or layer.output.elements for layer in layers]
        calls = share_functions(smallest_calls(choices, work))
    else:
        calls = [() if layer.op.is_view else choose_kernel(layer, features).lower(layer.op, layer) for layer in layers]
    steps = tuple(Step(layer, own) for layer, own in zip(layers, calls, strict=True))
    return Program(graph, steps, goal, gcc_options(goal, features))


def choose_kernel(layer: Layer, features: Set[str]) -> Kernel:
    """The first kernel of the operator that the CPU can run and that takes the layer."""
    return fitting_kernels(layer, features)[0]


def fitting_kernels(layer: Layer, features: Set[str]) -> list[Kernel]:
    """The kernels that the CPU can run and that take the layer, the preferred first; none for a view."""
    if layer.op.is_view:
        return []
    found = [k for k in layer.op.kernels if k.fits(layer, features)]
    if not found:
        held = ", ".join(f"{t.name}: {t.storage}" for t in (*layer.inputs, layer.output))
        raise NotImplementedError(f"{layer.where} has no portable kernel for {held}")
    return found
