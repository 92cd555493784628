"""Chooses a kernel for each layer: the first that the CPU can run, or those that are smallest together."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from mcuq.graph.ir import Graph
from mcuq.graph.liveness import aligned, live_bytes, storages_of
from mcuq.graph.operator import Layer
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import LITTLE_SCRATCH, Kernel
from mcuq.lower.goal import Goal, gcc_options
from mcuq.lower.program import Program, Step
from mcuq.lower.share import share_functions
from mcuq.lower.smallest import smallest_calls
from mcuq.lower.unpack import Calls, packing_of, unpacking_calls

MOST_SCRATCHES = 4  # programs whose layers above a size of scratch are asked to take less


def alternatives(graph: Graph, features: Set[str], goal: Goal, by_rows: bool = False) -> list[Program]:
    """The programs for a CPU, the fastest first.

    Where all packed weights of a layer may be unpacked at once, that which does so, as fast or faster: outputs may then
    lie over inputs, which may save more than it takes; not where layers run `by_rows`, as each band would do so. Then
    that of `lower`, and those whose layers of the most scratch take less of it and more time.
    """
    plain = lower(graph, features, goal)
    programs = [plain]
    if goal in ("balanced", "ram"):
        if not by_rows and any(packing_of(layer) is not None for layer in graph.layers()):
            programs.insert(0, lower(graph, features, goal, unpacks_at_once=True))
        programs += _with_little_scratch(plain, features)
    return programs


def _with_little_scratch(program: Program, features: Set[str]) -> list[Program]:
    """The program with kernels of little scratch for the layers that take the most, for those that take the next most
    too, and so on; the last one with all of them."""
    asked = features | {LITTLE_SCRATCH}
    saving: dict[int, Step] = {}
    for index, step in enumerate(program.steps):
        if len(step.calls) == 1 and step.scratch_bytes:
            kernel = fitting_kernels(step.layer, asked)[0]
            if LITTLE_SCRATCH in kernel.needs:
                calls = kernel.lower(step.layer.op, step.layer)
                saving[index] = Step(step.layer, calls, frozenset({LITTLE_SCRATCH}))
    sizes = sorted({program.steps[index].scratch_bytes for index in saving}, reverse=True)
    programs = []
    for least in dict.fromkeys([*sizes[: MOST_SCRATCHES - 1], *sizes[-1:]]):
        steps = list(program.steps)
        for index, step in saving.items():
            if steps[index].scratch_bytes >= least:
                steps[index] = step
        programs.append(replace(program, steps=tuple(steps)))
    return programs


def lower(
    graph: Graph, features: Set[str] = frozenset(), goal: Goal = "balanced", unpacks_at_once: bool = False
) -> Program:
    """The program for a CPU with the given features. Raises ModelError for a layer that no kernel can compute.

    `balanced`, `ram` and `speed` take the first kernel that a CPU and a layer allow, each function for sizes of its
    own, and differ in how much memory packed weights may be unpacked into, any with `unpacks_at_once`; `size` takes the
    kernels with the least constants and code, whose functions read at run time what differs.
    """
    layers = list(graph.layers())
    if goal == "size":
        work = [layer.op.macs(layer) or layer.output.elements for layer in layers]
        calls = share_functions(smallest_calls(_choices(graph, layers, features | {"size"}, goal), work))
    else:
        calls = [next(iter(own), ()) for own in _choices(graph, layers, features, goal, unpacks_at_once)]
    steps = tuple(Step(layer, own) for layer, own in zip(layers, calls, strict=True))
    return Program(graph, steps, goal, gcc_options(goal, features))


def choose_kernel(layer: Layer, features: Set[str]) -> Kernel:
    """The first kernel of the operator that the CPU can run and that takes the layer."""
    return fitting_kernels(layer, features)[0]


def fitting_kernels(layer: Layer, features: Set[str]) -> list[Kernel]:
    """The kernels that the CPU can run and that take the layer, the preferred first; none for a view."""
    if layer.op.is_view:
        return []
    found = [k for k in KERNELS[type(layer.op)] if k.fits(layer, features)]
    if not found:
        raise _no_kernel(layer)
    return found


def _choices(
    graph: Graph, layers: Sequence[Layer], features: Set[str], goal: Goal, unpacks_at_once: bool = False
) -> list[list[Calls]]:
    """The calls of kernels that can compute each layer, the preferred first: of all for `size`, else at least of that.

    Kernels of packed weights unpack blocks of them, which takes little scratch; those of whole weights, behind a call
    that unpacks all, take more and are as fast or faster. What tensors leave free at a step is free to take: so
    they are preferred where a step's live bytes with its scratch are no more than the most that any step has by
    the others, and else no choice. `speed` and `unpacks_at_once` prefer them anyway.
    """
    found: list[list[Calls]] = []
    wholes: dict[int, Calls] = {}
    for index, layer in enumerate(layers):
        if packing_of(layer) is None:
            kernels = fitting_kernels(layer, features)
            found.append([k.lower(layer.op, layer) for k in (kernels if goal == "size" else kernels[:1])])
        else:
            blocks, whole = _packed_choices(layer, features)
            found.append(blocks or [whole or ()])
            if blocks and whole:
                wholes[index] = whole
    storages = storages_of(graph)
    live = live_bytes(s.life for s in storages)
    storage_of = {name: s for s in storages for name in s.tensors}

    def needed(index: int, calls: Calls, overlaps: bool) -> int:
        step = Step(layers[index], calls)
        saved = step.saved_bytes(storage_of, index) if overlaps else 0
        return live[index] + aligned(step.scratch_bytes) - saved

    peak = max((needed(index, own[0], True) for index, own in enumerate(found) if own), default=0)
    for index, whole in wholes.items():
        if goal == "speed" or unpacks_at_once or needed(index, whole, False) <= peak:
            found[index].insert(0, whole)
    return found


def _packed_choices(layer: Layer, features: Set[str]) -> tuple[list[Calls], Calls | None]:
    """For a layer of packed weights: the calls of kernels that unpack blocks, the preferred first, and those of the
    preferred kernel of whole weights. No portable kernel of the latter is faster than one of the former for the CPU."""
    kernels = [k for k in KERNELS[type(layer.op)] if k.fits(layer, features)]
    is_own = bool(kernels) and bool(kernels[0].needs)
    whole = next((calls for k, calls in unpacking_calls(layer, features) if k.needs or not is_own), None)
    if not kernels and whole is None:
        raise _no_kernel(layer)
    return [kernel.lower(layer.op, layer) for kernel in kernels], whole


def _no_kernel(layer: Layer) -> NotImplementedError:
    held = ", ".join(f"{t.name}: {t.storage}" for t in (*layer.inputs, layer.output))
    return NotImplementedError(f"{layer.where} has no portable kernel for {held}")
