"""C names: those that are there whatever a model is like, and those of its layers and functions."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.emit.arena import arena_names
from mcuq.emit.identifiers import claim, stems
from mcuq.emit.port import has_channels, macro_parts
from mcuq.emit.weights import STATUSES
from mcuq.graph.ir import Graph
from mcuq.kernels.kernel import Call, Constants, RowsOf
from mcuq.kernels.runtime import runtime
from mcuq.lower import INLINE, Placement, Program, Step
from mcuq.plan import Plan

# What the C of segments declares, and what there is besides where rows of the input are pushed.
_OF_SEGMENTS = ("state", "band", "round", "i")
_OF_PUSH = ("rows", "count", "given", "more")
_PUSH = ("push", "push_in", "reset", "reset_in", "take_rows", "rows", "row_elements", "too_many_rows")
# What there is besides where an inference goes by steps.
_OF_STEPS = ("step", "used", "unit", "cost", "budget")
_STEPS = ("step", "step_in", "reset", "reset_in", "take_steps", "units", "steps", "step_worst", "step_total")


# What there is besides where states go on from one inference to the next, and where they are of a window that moves on.
_STATES = ("reset", "reset_in", "state", "state_bytes", "state_alignment", "states", "state_ok", "no_state")
_STREAM = ("stream_hop", "stream_window", "stream_calls")


def names_of_the_frame(graph: Graph, model_id: str, plan: Plan, placement: Placement = INLINE) -> set[str]:
    """Lower case C names that are there whatever the tensors and layers are called."""
    parts = ["run", "run_in", "arena", "alignment", "digest", "arena_bytes", "arena_alignment", "stack_bytes"]
    parts += ["arena_section", "weights_section", "no_arena", "assert"]
    parts += ["fast_weights_section", "fast_weights_bytes"] if placement.fast else []
    parts += ["copied_weights_bytes"] if placement.copied_bytes else []
    if has_channels(graph):
        parts += ["quantize", "dequantize"]
    for part in plan.parts:
        parts += [part.pointer, f"{part.pointer}_bytes", f"{part.pointer}_section"]
    parts += (*_PUSH, "rows_without_weights") if plan.pushed else ()
    parts += (*_STEPS, "step_without_weights") if plan.steps else ()
    parts += _STATES if graph.states else ()
    parts += _STREAM if graph.stream else ()
    for kind, names in (("input", graph.given_inputs), ("output", graph.given_outputs)):
        if len(names) == 1:
            parts += [kind, *macro_parts(kind, has_channels(graph))]
    if placement.is_external:
        parts += ["weights", "set_weights", "weights_crc", "weights_bytes", "weights_alignment"]
        parts += ["weights_start", "weights_blob", *(name for name, _ in STATUSES)]
    items = [name.lower() for name in runtime()]
    local = (
        *(_OF_SEGMENTS if plan.segments else ()),
        *(_OF_PUSH if plan.pushed else ()),
        *(_OF_STEPS if plan.steps else ()),
    )
    frame = [*local, "arena", "memory", f"mcuq_{model_id}_h", "mcuq_static_assert", "mcuq_static_assert_name"]
    frame += [name for part in plan.parts for name in (part.pointer, f"memory_{part.memory}")]
    frame += ["weights"] if placement.is_external else []
    frame += ["state", "state_bytes", "i"] if graph.states else []
    frame += arena_names(placement.arena) if placement.arena else []
    own = (*parts, *items)
    return {name.lower() for name in (*frame, *items, *(f"{model_id}_{part}" for part in own))}


def layer_identifiers(program: Program, model_id: str, used: set[str]) -> list[str]:
    """A name for each layer from which the names of its functions and arrays derive; all become `used`."""
    found = []
    for step, stem in zip(program.steps, stems([step.layer.name for step in program.steps], "layer"), strict=True):

        def derived(text: str, step: Step = step) -> set[str]:
            called = [(name, call) for name, call in zip(call_names(step, text), step.calls, strict=True)]
            arrays = [f"{name}_{key}" for name, call in called for key in call.arrays]
            return {f"{model_id}_{part}" for part in (text, *(name for name, _ in called), *arrays)}

        found.append(claim(stem, derived, used))
    return found


Callee = tuple[Constants, tuple[str, ...], tuple[RowsOf, ...]]


def callee_of(call: Call) -> Callee:
    """What calls of one function have in common."""
    return call.constants, call.parameters, call.rows


def call_names(step: Step, layer_id: str) -> list[str]:
    """The layer's identifier, numbered where it takes several calls."""
    if len(step.calls) == 1:
        return [layer_id]
    return [f"{layer_id}_{number + 1}" for number in range(len(step.calls))]


def function_names(program: Program, model_id: str, layer_ids: Sequence[str], used: set[str]) -> dict[Callee, str]:
    """A function of one call is named after its layer, a shared one after its kernel."""
    users: dict[Callee, list[str]] = {}
    for step, layer_id in zip(program.steps, layer_ids, strict=True):
        for name, call in zip(call_names(step, layer_id), step.calls, strict=True):
            users.setdefault(callee_of(call), []).append(name)
    names: dict[Callee, str] = {}
    for callee, callers in users.items():
        shared = f"{callee[0].stem()}_shared"
        name = claim(shared, lambda text: [f"{model_id}_{text}"], used) if len(callers) > 1 else callers[0]
        names[callee] = f"{model_id}_{name}"
    return names
