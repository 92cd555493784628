"""The functions that a program calls, their constant data, and the calls in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcuq.emit.data import DataArray
from mcuq.emit.identifiers import claim
from mcuq.emit.names import Callee, call_names, callee_of, function_names
from mcuq.emit.parameters import assumes, render_banded, render_shared
from mcuq.emit.port import Port
from mcuq.emit.render import render_kernel
from mcuq.emit.segments import RowTable, render_pushed, render_segment, render_stepped, row_table
from mcuq.emit.steps import cases_of
from mcuq.emit.text import COLUMNS, wrap
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.source import needs_of
from mcuq.lower import Program, Step, array_key
from mcuq.lower.share import PARAMETERS
from mcuq.plan import Plan
from mcuq.plan.segments import Segment

# The first byte of the caller's state, in ID_run_in.
STATE_BYTES = "state_bytes"


@dataclass(frozen=True)
class Pointer:
    """A place in C: an expression `name` of type `c_type` *, used as a pointer to elements of `element_type`. `arena`
    is the array that it is in, "" where it is the caller's."""

    name: str
    c_type: str
    element_type: str
    is_read_only: bool = False
    arena: str = ""

    @property
    def text(self) -> str:
        """The argument; by way of void, as places are aligned for all elements and compilers need not be told."""
        if self.element_type == self.c_type:
            return self.name
        const = "const " if self.is_read_only else ""
        return f"({const}{self.element_type} *)({const}void *)({self.name})"

    @property
    def bytes_text(self) -> str:
        """The place as one that bytes are written to."""
        return replace(self, element_type="int8_t").text

    def behind(self, n_bytes: str) -> Pointer:
        """So many bytes behind it."""
        base = replace(self, element_type="int8_t").text
        return replace(self, name=f"{base} + {n_bytes}", c_type="int8_t")


@dataclass(frozen=True)
class Function:
    """A rendered kernel, the runtime items that it needs, the layers that call it, and the largest accumulator bound
    among them."""

    name: str
    text: str
    constants: Constants
    needs: tuple[str, ...]
    users: tuple[str, ...] = ()
    bound: int = 0


@dataclass(frozen=True)
class ModelCall:
    """A call in ID_run_in: its text, and what it is of, which is layer `index`. A layer's first call `is_first`;
    `arenas` are the arrays in which any of its arguments lie. Of a segment the first call has the text, which makes the
    rows of all of them."""

    text: str
    layer: str
    index: int
    is_first: bool
    function: str
    arrays: tuple[str, ...]
    output_offset: int | None
    arenas: frozenset[str]


def render_calls(
    program: Program,
    plan: Plan,
    model_id: str,
    layer_ids: Sequence[str],
    pointers: Mapping[str, Pointer],
    used: set[str],
    ends: Sequence[str] = (),
) -> tuple[list[Function], list[DataArray], list[ModelCall], list[RowTable]]:
    """Functions shared by all calls with the same constants, their data (equal arrays once), the body of run_in, and
    the tables of segments. `ends` are lines of C behind each call of a kernel within a segment. Constants that are
    external lie behind a pointer `weights`, all but what tells functions their sizes. Where an inference goes by steps,
    calls and segments are cases of a switch, in order."""
    names = function_names(program, model_id, layer_ids, used)
    all_calls = [call for step in program.steps for call in step.calls]
    sizes = {array_key(call.arrays[PARAMETERS]) for call in all_calls if PARAMETERS in call.arrays}
    functions: dict[Callee, Function] = {}
    arrays: dict[tuple[str, bytes], DataArray] = {}
    calls: list[ModelCall] = []
    number_of: list[int] = []  # of each step's first call
    segment_of = {i: placed for placed in plan.segments for i in range(placed.segment.first, placed.segment.last + 1)}
    cases = cases_of(program, plan)
    for index, (step, layer_id) in enumerate(zip(program.steps, layer_ids, strict=True)):
        output = step.layer.output.name
        offset = plan.offset_of(output) if plan.is_whole(output) else None
        stems = call_names(step, f"{model_id}_{layer_id}")
        number_of.append(len(calls))
        for number, (stem, call) in enumerate(zip(stems, step.calls, strict=True)):
            name = names[callee_of(call)]
            function = functions.get(callee_of(call)) or _function(call, name)
            users = (*function.users, _describe(step, call, layer_id))
            functions[callee_of(call)] = replace(function, users=users, bound=max(function.bound, call.bound))
            data = []
            for key, a in call.arrays.items():
                is_outside = program.placement.is_external and array_key(a) not in sizes
                new = DataArray(f"{stem}_{key}", C_TYPES[a.dtype.name], a, is_outside, array_key(a) in program.fast)
                data.append(arrays.setdefault(array_key(a), new))
            places = [pointers[step.layer.inputs[i].name] for i in call.inputs]
            if index in segment_of:
                names_of_inputs = [step.layer.inputs[i].name for i in call.inputs]
                places = _in_band(segment_of[index].segment, index, names_of_inputs, pointers)
            arguments = [place.text for place in places]
            if call.unpacked:
                unpacked = plan.text_of(plan.scratch[index])
                arguments.append(Pointer(unpacked, "int8_t", C_TYPES[call.unpacked], True).text)
            arguments += [_argument_of(array) for array in data]
            if call.rows:
                arguments.append("band.rows")
            if call.scratch_bytes:
                arguments.append(plan.text_of(plan.scratch[index] + call.scratch_offset))
            if call.has_output:
                made = _output_of(segment_of[index].segment, index) if index in segment_of else output
                places.append(pointers[made].behind("band.y") if index in segment_of else pointers[made])
                arguments.append(places[-1].text)
            lines = wrap([f"{name}({arguments[0]}", *arguments[1:]], ", ", COLUMNS - 8, "        ")
            given = tuple(array.name for array in data)
            arenas = {place.arena for place in places if place.arena}
            if call.unpacked or call.scratch_bytes:
                arenas.add(plan.place_of(plan.scratch[index])[0])
            if index in segment_of:
                arenas.add(plan.place_of(segment_of[index].state)[0])
            text = f"{lines.strip()});"
            if index not in segment_of and plan.steps is not None:
                inner = text.replace("\n", "\n        ")
                text = f"case {cases.first[index] + number}: /* {layer_id} */\n            {inner}"
            elif index not in segment_of:
                text = f"/* {layer_id} */\n    {text}"
            calls.append(ModelCall(text, layer_id, index, number == 0, name, given, offset, frozenset(arenas)))
    tables = []
    for placed in plan.segments:
        segment = placed.segment
        first = number_of[segment.first]  # each of its steps has one call
        own = calls[first : first + len(segment.calls)]
        name = claim("rows", lambda text: [f"{model_id}_{text}"], used)
        table = row_table(placed, f"{model_id}_{name}")
        tables.append(table)
        stages = [[own[step - segment.first] for step in part] for part in segment.parts]
        texts = [_several([call.text for call in stage], ends) if stage else "" for stage in stages]
        made_at = [pointers[stage.output].bytes_text for stage in segment.stages]
        layers = [stage[-1].layer if stage else "the input" for stage in stages]
        if segment.is_pushed:
            block = render_pushed(placed, table.name, texts, made_at, layers, f"{model_id.upper()}_TOO_MANY_ROWS", plan)
        elif plan.steps is not None:
            at = cases.first[segment.first], cases.behind[segment.first]
            block = render_stepped(placed, table.name, texts, made_at, layers, at, plan)
        else:
            block = render_segment(placed, table.name, texts, made_at, layers, plan)
        calls[first : first + len(own)] = [replace(call, text="" if i else block) for i, call in enumerate(own)]
    return list(functions.values()), list(arrays.values()), calls, tables


def _argument_of(array: DataArray) -> str:
    """The array as an argument of a call."""
    if not array.is_outside:
        return array.name
    return Pointer(f"weights + {array.name}", "int8_t", array.c_type, is_read_only=True).text


def _output_of(segment: Segment, step: int) -> str:
    """The tensor in whose place a step of a segment writes."""
    return next(stage.output for stage, part in zip(segment.stages, segment.parts, strict=True) if step in part)


def _in_band(segment: Segment, step: int, names: Sequence[str], pointers: Mapping[str, Pointer]) -> list[Pointer]:
    """Where a step of a segment reads the rows of its inputs."""
    stage, part = next((s, part) for s, part in zip(segment.stages, segment.parts, strict=True) if step in part)
    if step == part[0]:
        return [pointers[name].behind("band.x" if name == stage.inputs[0] else "band.x2") for name in names]
    return [
        pointers[name].behind("band.x2") if name in stage.inputs else pointers[stage.output].behind("band.y")
        for name in names
    ]


def _several(calls: Sequence[str], ends: Sequence[str]) -> str:
    """One statement of all calls, behind each of which stand `ends`."""
    lines = [line for call in calls for line in (*call.split("\n"), *ends)]
    return calls[0] if lines == calls[0].split("\n") else "\n".join(["{", *(f"    {line}" for line in lines), "}"])


def _function(call: Call, name: str) -> Function:
    """The function that the call calls."""
    constants = call.constants
    needs = needs_of(constants)
    if call.rows:
        return Function(name, render_banded(constants, name, call.rows), constants, needs)
    if not call.parameters:
        return Function(name, render_kernel(constants, name), constants, needs)
    text = render_shared(constants, name, call.parameters, C_TYPES[call.arrays[PARAMETERS].dtype.name])
    return Function(name, text, constants, (*needs, *(["MCUQ_ASSUME"] if assumes(constants, call.parameters) else [])))


def pointers_of(plan: Plan, graph: Graph, inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Pointer]:
    """Where each tensor is in C: a parameter where it shares the memory of an input or output, in the caller's state,
    else in the arena."""
    parameter = {port.name: port for port in (*inputs, *outputs)}
    pointers = {}
    for placed in plan.segments:
        for tensor, offset in placed.rings.items():
            array, within = plan.place_of(offset)
            at = f"{array} + {within}" if within else array
            pointers[tensor] = Pointer(at, "int8_t", C_TYPES[graph.tensors[tensor].dtype], False, array)
    for storage in plan.kept:
        for tensor in storage.tensors:
            of = C_TYPES[graph.tensors[tensor].dtype]
            pointers[tensor] = Pointer(f"{STATE_BYTES} + {storage.offset_of(tensor)}", "int8_t", of)
    for storage in plan.storages:
        given = [parameter[name] for name in storage.tensors if name in parameter]
        is_input = bool(given) and given[0] in inputs
        for tensor in storage.tensors:
            array, within = plan.place_of(storage.offset)
            begin = storage.offset_of(given[0].name) if given else storage.offset - within
            n_bytes = storage.offset_of(tensor) - begin
            base, c_type = (given[0].accessor, given[0].c_type) if given else (array, "int8_t")
            pointer = Pointer(base, c_type, c_type, is_input, "" if given else array)
            if n_bytes:
                pointer = pointer.behind(str(n_bytes))
            pointers[tensor] = replace(pointer, element_type=C_TYPES[graph.tensors[tensor].dtype])
    for placed in plan.segments:
        for stage, part in zip(placed.segment.stages, placed.segment.parts, strict=True):
            for step in part[:-1]:  # what those behind write over, in its place
                tensor = graph.nodes[step].output
                pointers[tensor] = replace(pointers[stage.output], element_type=C_TYPES[graph.tensors[tensor].dtype])
    return pointers


def _describe(step: Step, call: Call, layer_id: str) -> str:
    """The comment line of a layer above its function."""
    layer: Layer = step.layer
    shapes = ", ".join(_shape(t) for t in layer.activations)
    bound = (", a band of rows at a time" if call.rows else "") + (
        f", |accumulator| <= {call.bound}" if call.bound else ""
    )
    return f"{layer_id}: {type(layer.op).__name__} {shapes} -> {_shape(layer.output)}{bound}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
