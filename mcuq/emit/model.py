"""Program + Plan -> C files."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcuq.emit.arena import Sharer, arena_files
from mcuq.emit.calls import Function, ModelCall, pointers_of, render_calls
from mcuq.emit.compilers import target_cpus
from mcuq.emit.data import DataArray
from mcuq.emit.listing import (
    ListedFast,
    ListedPush,
    ListedSteps,
    Listing,
    constants_crc,
    files_crc,
    list_layers,
    marked_call,
    marked_functions,
    without_marks,
)
from mcuq.emit.names import layer_identifiers, names_of_the_frame
from mcuq.emit.port import Port, has_channels, ports_of
from mcuq.emit.render import environment
from mcuq.emit.segments import BARRIER, RowTable
from mcuq.emit.segments import NEEDS as SEGMENT_NEEDS
from mcuq.emit.stack import stack_bytes
from mcuq.emit.states import states_of
from mcuq.emit.steps import cases_of
from mcuq.emit.text import in_comment
from mcuq.emit.weights import weights_of
from mcuq.graph.states import state_bytes
from mcuq.kernels.item import Item
from mcuq.kernels.runtime import needed_items
from mcuq.kernels.runtime import runtime as runtime_items
from mcuq.kernels.source import assembly_cpus
from mcuq.lower import Program
from mcuq.lower.copied import copies_of
from mcuq.lower.fast import fast_bytes
from mcuq.plan import Plan
from mcuq.plan.arena_part import ArenaPart
from mcuq.plan.push import GIVEN
from mcuq.version import __version__

# Items that stand at places of their own: what compilers differ in, a promise to them, and what ends each call where
# tensors are not all of one type.
COMPILER, ASSUME = "MCUQ_GNU", "MCUQ_ASSUME"
# The macros of templates/model.c.j2.
FRAME_MACROS = (
    "MCUQ_WEIGHTS",
    "MCUQ_ARENA",
    "MCUQ_FAST_WEIGHTS",
    "MCUQ_STATIC_ASSERT",
    "MCUQ_STATIC_ASSERT_NAME_",
    "MCUQ_STATIC_ASSERT_NAME",
)


@dataclass(frozen=True)
class Emitted:
    """`files` by name: the header and the C file, and those of a shared arena as large as this model's; `listing` says
    what the first two hold. `blob` is ID.weights.bin, if any. `names` are all C names of the model but those of
    runtime items, in lower case."""

    files: dict[str, str]
    listing: Listing
    blob: bytes | None
    names: frozenset[str]


def emit(program: Program, plan: Plan, model_id: str, provenance: Sequence[str] = ()) -> Emitted:
    """MODEL_ID.c and MODEL_ID.h; the same program gives the same bytes.

    `provenance` are lines of a comment that say what the model was made from.
    """
    graph, placement = program.graph, program.placement
    push = _listed_push(plan)
    used = names_of_the_frame(graph, model_id, plan, placement)
    inputs, outputs = ports_of(graph, model_id, used)
    if push is not None:
        inputs = [replace(inputs[0], tensor=graph.tensors[push.tensor])]
    layer_ids = layer_identifiers(program, model_id, used)
    placed = [*(inputs if push is None else ()), *outputs]
    place = {port.name: _Place(*plan.place_of(plan.offset_of(port.name))) for port in placed}
    offset = {name: own.offset for name, own in place.items()}
    arenas = [_arena_of(part, model_id, placement.arena) for part in plan.arenas]
    array = {own.pointer: own.array for own in arenas}
    pointers = pointers_of(plan, graph, inputs, outputs)
    read = {pointers[t.name].name for step in program.steps if step.calls for t in step.layer.activations}
    templates = environment()
    parameters = [f"const {port.c_type} *{port.accessor}" for port in inputs]
    parameters += [f"{port.c_type} *{port.accessor}" for port in outputs]
    dtypes = {tensor.dtype for tensor in graph.tensors.values() if not tensor.is_constant}
    ends = [] if dtypes == {"int8"} else [f"{BARRIER}();"]
    functions, arrays, calls, tables = render_calls(program, plan, model_id, layer_ids, pointers, used, ends)
    has_floats = "float32" in dtypes or any(array.c_type == "float" for array in arrays)
    needs = [*([BARRIER] if ends else []), *(SEGMENT_NEEDS if tables else ())]
    needs += [] if plan.steps is None else ["MCUQ_NOINLINE"]
    costs = cases_of(program, plan).text if plan.steps else ""
    items = needed_items([*needs, *(need for function in functions for need in function.needs)])
    foremost = {item.name: item for item in items if item.name in (COMPILER, ASSUME, BARRIER)}
    runtime = [item for item in items if item.name not in foremost]
    fast = None
    if placement.fast is not None:
        fast = ListedFast(placement.fast.memory, fast_bytes(program, program.fast))
    in_c = [array for array in arrays if not array.is_outside]
    interface = [*_interface((*inputs, *outputs), offset), *(str(state) for state in graph.states)]
    digest = _digest(functions, in_c, calls, tables, [*interface, costs], plan)
    weights = None
    if placement.is_external:
        texts = [f"{array.name} {array.c_type} {array.text}" for array in in_c]
        texts += [item.text for item in items] + [table.text for table in tables]
        texts += [function.text for function in functions] + [call.text for call in calls] + interface
        weights = weights_of((array for array in arrays if array.is_outside), texts)
    context: dict[str, Any] = {
        "version": __version__,
        "goal": program.goal,
        "gcc_options": ", ".join(f'"{option}"' for option in program.gcc_options),
        "id": model_id,
        "ID": model_id.upper(),
        "inputs": inputs,
        "outputs": outputs,
        "placed": placed,
        "push": push,
        "steps": plan.steps,
        "longest_layer": in_comment(plan.steps.longest.layer) if plan.steps else "",
        "costs": costs,
        "cases": costs.count(",") + 1,
        "arena_bytes": plan.arena_bytes,
        "stack_bytes": stack_bytes(
            (function.constants for function in functions),
            len(inputs) + len(outputs) + (0 if plan.steps is None else 1) + (1 if graph.states else 0),
            SEGMENT_NEEDS if tables else (),
        ),
        "offset": offset,
        "place": place,
        "array": array,
        "arenas": arenas,
        "is_split": bool(plan.parts),
        "memories": ", ".join(f"void *{own.memory}" for own in arenas),
        "given_arenas": ", ".join(f"void *{own.pointer}" for own in arenas),
        "of_bytes": "of " + " and ".join(f"{own.macro}_BYTES" for own in arenas),
        "own_arenas": ", ".join(array.values()),
        "macs": graph.macs(),
        "parameter_bytes": sum(array.values.nbytes for array in arrays),
        "arrays": in_c,
        "weights": weights,
        "section": placement.section,
        "shared": placement.arena,
        "result": "int32_t" if placement.is_external else "void",
        "states": states_of(graph, plan, pointers) if graph.states else None,
        "stream": graph.stream,
        "stream_outputs": [(in_comment(own.name), own) for own in graph.stream.outputs] if graph.stream else [],
        "functions": marked_functions(functions),
        "runtime": [item.text for item in runtime],
        "renamed": [name for name in _names(runtime) if name.islower()],
        "compiler": foremost[COMPILER].text if COMPILER in foremost else "",
        "compiler_names": _names(item for item in items if item.name == COMPILER),
        "fast": fast,
        "copies": [(in_comment(layer), size_bytes) for layer, size_bytes in copies_of(program)],
        "frame": [name for name in FRAME_MACROS if fast or name != "MCUQ_FAST_WEIGHTS"],
        "macros": [name for name in (*foremost, *_names(runtime)) if name != COMPILER and not name.islower()],
        "cpus": target_cpus(assembly_cpus(items)),
        "tables": tables,
        "calls": _marked(calls),
        "ends": ends,
        "assume": foremost[ASSUME].text if ASSUME in foremost else "",
        "barrier": foremost[BARRIER].text if BARRIER in foremost else "",
        "unused": [port.accessor for port in inputs if port.accessor not in read],
        "parameters": ", ".join(parameters),
        "arguments": ", ".join(port.accessor for port in (*inputs, *outputs)),
        "has_floats": has_floats,
        "has_channels": has_channels(graph),
        "all_int8": all(port.tensor.dtype == "int8" for port in (*inputs, *outputs)),
        "state": next((_Place(*plan.place_of(own.state)) for own in plan.segments if own.segment.is_pushed), None),
        "step_state": _Place(*plan.place_of(plan.steps.state)) if plan.steps else None,
        "used_arenas": frozenset[str]().union(*(call.arenas for call in calls)),
        "has_segments": bool(plan.segments),
        "changes_options": has_floats or bool(program.gcc_options),
        "provenance": [in_comment(line) for line in provenance],
        "digest": f"0x{digest:08x}",
    }
    header = templates.get_template("model.h.j2").render(context)
    source, marks = without_marks(templates.get_template("model.c.j2").render(context))
    heads = {function.name: line + 1 for function, line in zip(functions, marks, strict=False)}
    listing = Listing(
        digest=digest,
        files_crc=files_crc(header, source),
        constants_crc=constants_crc(arrays),
        stack_bytes=context["stack_bytes"],
        accessors={port.name: f"{model_id}_{port.accessor}" for port in placed},
        arrays={array.name: array.values.nbytes for array in arrays},
        functions=heads,
        layers=list_layers(calls, marks[len(functions) :]),
        order=_order(program, plan),
        offsets=weights.offsets if weights else {},
        weights_head=weights.head.hex() if weights else "",
        push=push,
        arenas=plan.parts,
        fast=fast,
        copies=copies_of(program),
        places={name: own.pointer for name, own in place.items()} if plan.parts else {},
        steps=_listed_steps(plan),
        state_bytes=state_bytes(graph),
    )
    files = {f"{model_id}.h": header, f"{model_id}.c": source}
    if placement.arena:
        files |= arena_files(placement.arena, [Sharer(model_id, plan.arena_bytes, listing.stack_bytes)])
    own = {f"{model_id}_{name}".lower() for name in runtime_items()}
    names = frozenset(name for name in used - own if name.startswith(f"{model_id.lower()}_"))
    return Emitted(files, listing, weights.blob if weights else None, names)


@dataclass(frozen=True)
class _Arena:
    """An array that working memory lies in, as the C names it: `pointer` is its first byte, `memory` the parameter that
    it comes by, `array` the model's own, `macro` what its macros begin with; "" as `where`: of the main memory."""

    pointer: str
    memory: str
    array: str
    macro: str
    size_bytes: int
    where: str


@dataclass(frozen=True)
class _Place:
    """So many bytes behind the first of an array."""

    pointer: str
    offset: int

    @property
    def text(self) -> str:
        return f"{self.pointer} + {self.offset}"


def _arena_of(part: ArenaPart, model_id: str, shared: str) -> _Arena:
    own = f"{model_id}_{part.pointer}"
    memory = f"memory_{part.memory}" if part.memory else "memory"
    return _Arena(part.pointer, memory, shared or own, own.upper(), part.size_bytes, part.memory)


def _listed_push(plan: Plan) -> ListedPush | None:
    """How the input comes row by row, if it does."""
    if plan.pushed is None:
        return None
    segment = next(placed.segment for placed in plan.segments if placed.segment.is_pushed)
    return ListedPush(plan.pushed.tensor, plan.pushed.taken, segment.heights[GIVEN], segment.row_bytes[GIVEN])


def _listed_steps(plan: Plan) -> ListedSteps | None:
    """How the inference goes by steps, if it does."""
    steps = plan.steps
    if steps is None:
        return None
    longest, too_long = steps.longest, tuple((unit.layer, unit.cycles) for unit in steps.too_long)
    asked = steps.asked.longest
    return ListedSteps(steps.count, steps.total_cycles, longest.cycles, longest.layer, steps.unit, asked, too_long)


def _order(program: Program, plan: Plan) -> tuple[int, ...]:
    """The numbers of calls as an inference makes them; none where it makes each once."""
    if not plan.segments:
        return ()
    segment_at = {placed.segment.first: placed.segment for placed in plan.segments}
    order: list[int] = []
    number = index = 0
    while index < len(program.steps):
        segment = segment_at.get(index)
        if segment is not None:
            first = number - segment.first  # each step has one call
            order += [first + step for made in segment.schedule.made for step in segment.parts[made.stage]]
            number += len(segment.calls)
            index += len(segment.calls)
        else:
            calls = len(program.steps[index].calls)
            order += range(number, number + calls)
            number += calls
            index += 1
    return tuple(order)


def _marked(calls: Sequence[ModelCall]) -> list[str]:
    """The calls with their marks: those of a segment all stand behind its first, which has the text."""
    texts: list[str] = []
    for call in calls:
        if call.text:
            texts.append(marked_call(call))
        else:
            texts[-1] = marked_call(replace(call, text=texts[-1]))
    return texts


def _names(items: Iterable[Item]) -> list[str]:
    return [name for item in items for name in item.names]


def _interface(ports: Iterable[Port], offset: Mapping[str, int]) -> list[str]:
    """What the header states of inputs and outputs, a line each: their scales may stand nowhere else in the C."""
    return [f"{p.macro} {p.tensor.shape} {p.tensor.dtype} {p.tensor.quant} {offset.get(p.name, '')}" for p in ports]


def _digest(
    functions: Sequence[Function],
    arrays: Sequence[DataArray],
    calls: Sequence[ModelCall],
    tables: Sequence[RowTable],
    interface: Sequence[str],
    plan: Plan,
) -> int:
    """CRC-32 over all that the model computes with and its header states: both files of one model carry the same."""
    crc = zlib.crc32(f"{plan.arena_bytes}".encode())
    for part in plan.parts:
        crc = zlib.crc32(f"{part}".encode(), crc)
    for text in (*interface, *(f.text for f in functions), *(call.text for call in calls), *(t.text for t in tables)):
        crc = zlib.crc32(text.encode(), crc)
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array.values).tobytes(), crc)
    return crc
