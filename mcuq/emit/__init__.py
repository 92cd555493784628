"""Program + Plan -> C files; the only module that knows Jinja."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod

import jinja2
import numpy as np

from mcuq.emit.compilers import macros_of, target_cpus, uses_compiler_source
from mcuq.emit.identifiers import claim, stems
from mcuq.emit.parameters import with_parameters
from mcuq.emit.stack import stack_bytes
from mcuq.emit.text import COLUMNS, wrap
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Call, Constants, Layer
from mcuq.graph.tensor import Array, ChannelQuant, Tensor
from mcuq.lower import Program, Step, array_key
from mcuq.lower.share import PARAMETERS, shifts_down
from mcuq.lower.source import compiler_source, runtime_blocks, runtime_names, runtime_source
from mcuq.plan import Plan
from mcuq.resources import resource_dir
from mcuq.version import __version__

__all__ = ["accessors", "c_float", "emit", "render_kernel", "runtime_functions", "wrap"]

C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "float32": "float",
}

_Callee = tuple[Constants, tuple[str, ...]]


@dataclass(frozen=True)
class Port:
    """An input or output of the model as the header shows it."""

    name: str
    identifier: str
    tensor: Tensor
    accessor: str  # "input" or "output" where there is only one, else the identifier

    @property
    def c_type(self) -> str:
        """The type of an element in C."""
        return C_TYPES[self.tensor.dtype]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value of a quantized port."""
        return self.tensor.quantization.bounds

    @property
    def channels(self) -> ChannelQuant | None:
        """Scales and zero points along one dimension, where the port has several."""
        return self.tensor.quant if isinstance(self.tensor.quant, ChannelQuant) else None

    def channel(self, i: str) -> str:
        """The channel of element `i` in C."""
        assert self.channels is not None
        shape, axis = self.tensor.shape, len(self.tensor.shape) + self.channels.axis
        inner = prod(shape[axis + 1 :])
        index = f"{i} / {inner}" if inner > 1 else i
        return f"{index} % {shape[axis]}" if prod(shape[:axis]) > 1 else index

    @property
    def scales(self) -> str:
        """The initializer's lines of the scales of a port with channels."""
        assert self.channels is not None
        return DataArray("", "float", np.array(self.channels.scale)).text

    @property
    def zero_points(self) -> str:
        """The initializer's lines of the zero points of a port with channels."""
        assert self.channels is not None
        return DataArray("", "int32_t", np.array(self.channels.zero_points)).text

    @property
    def macro(self) -> str:
        """Stem of the port's macros."""
        return self.identifier.upper()

    @property
    def comment(self) -> str:
        """The name as a C comment can hold it."""
        return _in_comment(self.name)


def _in_comment(text: str) -> str:
    """The text such that nothing in it ends a C comment, opens another or joins lines."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text.replace("*/", "* /").replace("/*", "/ *")


@dataclass(frozen=True)
class Pointer:
    """A place in C: an expression `name` of type `c_type` *, used as a pointer to elements of `element_type`."""

    name: str
    c_type: str
    element_type: str
    is_read_only: bool = False

    @property
    def text(self) -> str:
        """The argument; by way of void, as places are aligned for all elements and compilers need not be told."""
        if self.element_type == self.c_type:
            return self.name
        const = "const " if self.is_read_only else ""
        return f"({const}{self.element_type} *)({const}void *)({self.name})"


@dataclass(frozen=True)
class DataArray:
    """Constant data with its C name and type."""

    name: str
    c_type: str
    values: Array

    @property
    def text(self) -> str:
        """The initializer's lines."""
        as_text = c_float if self.c_type == "float" else str
        return wrap([as_text(v) for v in self.values.reshape(-1).tolist()], ", ", COLUMNS - 4, "    ")


@dataclass(frozen=True)
class Function:
    """A rendered kernel, the layers that call it, and the largest accumulator bound among them."""

    name: str
    text: str
    users: tuple[str, ...] = ()
    bound: int = 0


def emit(program: Program, plan: Plan, model_id: str, provenance: Sequence[str] = ()) -> dict[str, str]:
    """File name -> text of MODEL_ID.c and MODEL_ID.h; the same program gives the same bytes.

    `provenance` are lines of a comment that say what the model was made from.
    """
    graph = program.graph
    used = _names_of_the_frame(graph, model_id)
    inputs, outputs = _ports(graph, model_id, used)
    layer_ids = _layer_identifiers(program, model_id, used)
    offset = {port.name: plan.storage_of(port.name).offset for port in (*inputs, *outputs)}
    pointers = _pointers(plan, graph, inputs, outputs)
    functions, arrays, calls = _render_calls(program, plan, model_id, layer_ids, pointers, used)
    read = {pointers[t.name].name for step in program.steps if step.calls for t in step.layer.activations}
    environment = _environment()
    parameters = [f"const {port.c_type} *{port.accessor}" for port in inputs]
    parameters += [f"{port.c_type} *{port.accessor}" for port in outputs]
    dtypes = {tensor.dtype for tensor in graph.tensors.values() if not tensor.is_constant}
    has_floats = "float32" in dtypes or any(array.c_type == "float" for array in arrays)
    kernels = "\n".join(function.text for function in functions)
    assumes, needs_barriers = "MCUQ_ASSUME(" in kernels, dtypes != {"int8"}
    code = "\n".join([*runtime_functions(kernels), kernels])
    context = {
        "version": __version__,
        "goal": program.goal,
        "gcc_options": ", ".join(f'"{option}"' for option in program.gcc_options),
        "id": model_id,
        "ID": model_id.upper(),
        "inputs": inputs,
        "outputs": outputs,
        "arena_bytes": plan.arena_bytes,
        "stack_bytes": stack_bytes(function.text for function in functions),
        "offset": offset,
        "macs": graph.macs(),
        "parameter_bytes": sum(array.values.nbytes for array in arrays),
        "arrays": arrays,
        "functions": functions,
        "runtime": runtime_functions(kernels),
        "renamed": runtime_names(kernels),
        "compiler": compiler_source() if assumes or needs_barriers or uses_compiler_source(code) else "",
        "cpus": target_cpus(code),
        "calls": calls,
        "assumes": assumes,
        "unused": [port.accessor for port in inputs if port.accessor not in read],
        "parameters": ", ".join(parameters),
        "arguments": ", ".join(port.accessor for port in (*inputs, *outputs)),
        "has_floats": has_floats,
        "needs_barriers": needs_barriers,
        "has_channels": _has_channels(graph),
        "all_int8": all(port.tensor.dtype == "int8" for port in (*inputs, *outputs)),
        "uses_arena": any(re.search(r"\barena\b", call) for call in calls),
        "changes_options": has_floats or program.goal != "balanced",
        "provenance": [_in_comment(line) for line in provenance],
        "digest": _digest(functions, arrays, calls, (*inputs, *outputs), plan),
    }
    source = environment.get_template("model.c.j2").render(context)
    return {
        f"{model_id}.h": environment.get_template("model.h.j2").render(context),
        f"{model_id}.c": source + "".join(f"#undef {name}\n" for name in macros_of(source)),
    }


def accessors(graph: Graph, model_id: str) -> dict[str, str]:
    """Input or output tensor -> the C function that gives its place in the model's own arena."""
    sides = _ports(graph, model_id, _names_of_the_frame(graph, model_id))
    return {port.name: f"{model_id}_{port.accessor}" for side in sides for port in side}


def c_float(value: float) -> str:
    """A C expression that names the same float32: a literal, but for infinities, which freestanding C has none for."""
    if np.isinf(value):
        return "mcuq_infinity()" if value > 0 else "-mcuq_infinity()"
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def runtime_functions(text: str) -> list[str]:
    """The functions of firmware/mcuq_*.h that `text` uses, directly or through each other, in the headers' order."""
    return [runtime_blocks()[name] for name in runtime_names(text)]


def render_kernel(constants: Constants, function: str) -> str:
    """The C function of a kernel template."""
    values = {f.name: getattr(constants, f.name) for f in fields(constants)}
    template = _environment().get_template(f"kernels/{constants.template}.c.j2")
    return template.render(function=function, **values).strip()


def _names_of_the_frame(graph: Graph, model_id: str) -> set[str]:
    """Lower case C names that are there whatever the tensors and layers are called."""
    parts = ["run", "run_in", "arena", "alignment", "digest", "arena_bytes", "arena_alignment", "stack_bytes"]
    parts += ["arena_section", "weights_section", "no_arena", "assert"]
    if _has_channels(graph):
        parts += ["quantize", "dequantize"]
    for kind, names in (("input", graph.inputs), ("output", graph.outputs)):
        if len(names) == 1:
            parts += [kind, *_macro_parts(kind, _has_channels(graph))]
    runtime = re.findall(r"\bmcuq_\w+", runtime_source().lower())
    frame = ["arena", "memory", f"mcuq_{model_id}_h", "mcuq_static_assert", "mcuq_static_assert_name"]
    own = (*parts, *runtime)
    return {name.lower() for name in (*frame, *runtime, *(f"{model_id}_{part}" for part in own))}


def _has_channels(graph: Graph) -> bool:
    """Whether an input or output has scales per channel."""
    return any(isinstance(graph.tensors[name].quant, ChannelQuant) for name in (*graph.inputs, *graph.outputs))


def _macro_parts(stem: str, has_channels: bool) -> list[str]:
    """What follows the model's name in what the header has of a port."""
    parts = [f"{stem}_{part}" for part in ("elements", "scale", "zero_point", "offset")]
    if has_channels:
        parts += [f"{stem}_{part}" for part in ("scales", "zero_points")] + [f"quantize_{stem}", f"dequantize_{stem}"]
    return parts


def _ports(graph: Graph, model_id: str, used: set[str]) -> tuple[list[Port], list[Port]]:
    """(inputs, outputs) with names of their own, which become `used`."""
    names = [*graph.inputs, *graph.outputs]
    count = len(graph.inputs)
    found = []
    for index, (name, stem) in enumerate(zip(names, stems(names, "tensor"), strict=True)):
        kind, alone = ("input", count == 1) if index < count else ("output", len(names) == count + 1)

        def derived(text: str, kind: str = kind if alone else "") -> set[str]:
            # A port that is alone is called by its kind, which is in `used` already, and has macros of both names.
            macros = {f"{model_id}_{part}" for part in _macro_parts(text, _has_channels(graph))}
            if kind:
                return macros if text.lower() != kind else set()
            return {text, f"{model_id}_{text}", *macros}

        text = claim(stem, derived, used)
        found.append(Port(name, text, graph.tensors[name], kind if alone else text))
    return found[:count], found[count:]


def _layer_identifiers(program: Program, model_id: str, used: set[str]) -> list[str]:
    """A name for each layer from which the names of its functions and arrays derive; all become `used`."""
    found = []
    for step, stem in zip(program.steps, stems([step.layer.name for step in program.steps], "layer"), strict=True):

        def derived(text: str, step: Step = step) -> set[str]:
            called = [(name, call) for name, call in zip(_call_names(step, text), step.calls, strict=True)]
            arrays = [f"{name}_{key}" for name, call in called for key in call.arrays]
            return {f"{model_id}_{part}" for part in (text, *(name for name, _ in called), *arrays)}

        found.append(claim(stem, derived, used))
    return found


def _call_names(step: Step, layer_id: str) -> list[str]:
    """The layer's identifier, numbered where it takes several calls."""
    if len(step.calls) == 1:
        return [layer_id]
    return [f"{layer_id}_{number + 1}" for number in range(len(step.calls))]


def _render_calls(
    program: Program,
    plan: Plan,
    model_id: str,
    layer_ids: Sequence[str],
    pointers: Mapping[str, Pointer],
    used: set[str],
) -> tuple[list[Function], list[DataArray], list[str]]:
    """Functions shared by all calls with the same constants, their data (equal arrays once), and the body of run_in."""
    names = _function_names(program, model_id, layer_ids, used)
    functions: dict[_Callee, Function] = {}
    arrays: dict[tuple[str, bytes], DataArray] = {}
    calls: list[str] = []
    for index, (step, layer_id) in enumerate(zip(program.steps, layer_ids, strict=True)):
        for stem, call in zip(_call_names(step, f"{model_id}_{layer_id}"), step.calls, strict=True):
            name = names[_callee(call)]
            function = functions.get(_callee(call)) or Function(name, _render(call, name))
            users = (*function.users, _describe(step, call, layer_id))
            functions[_callee(call)] = replace(function, users=users, bound=max(function.bound, call.bound))
            data = [
                arrays.setdefault(array_key(a), DataArray(f"{stem}_{key}", C_TYPES[a.dtype.name], a))
                for key, a in call.arrays.items()
            ]
            arguments = [pointers[step.layer.inputs[i].name].text for i in call.inputs]
            if call.unpacked:
                arguments.append(Pointer(f"arena + {plan.scratch[index]}", "int8_t", C_TYPES[call.unpacked], True).text)
            arguments += [array.name for array in data]
            if call.scratch_bytes:
                arguments.append(f"arena + {plan.scratch[index] + call.scratch_offset}")
            if call.has_output:
                arguments.append(pointers[step.layer.output.name].text)
            lines = wrap([f"{name}({arguments[0]}", *arguments[1:]], ", ", COLUMNS - 8, "        ")
            calls.append(f"/* {layer_id} */\n    {lines.strip()});")
    return list(functions.values()), list(arrays.values()), calls


def _callee(call: Call) -> _Callee:
    """What calls of one function have in common."""
    return call.constants, call.parameters


def _render(call: Call, name: str) -> str:
    """The function that the call calls."""
    text = render_kernel(call.constants, name)
    if not call.parameters:
        return text
    c_type = C_TYPES[call.arrays[PARAMETERS].dtype.name]
    return with_parameters(text, call.parameters, c_type, shifts_down(call.constants))


def _function_names(program: Program, model_id: str, layer_ids: Sequence[str], used: set[str]) -> dict[_Callee, str]:
    """A function of one call is named after its layer, a shared one after its kernel."""
    users: dict[_Callee, list[str]] = {}
    for step, layer_id in zip(program.steps, layer_ids, strict=True):
        for name, call in zip(_call_names(step, layer_id), step.calls, strict=True):
            users.setdefault(_callee(call), []).append(name)
    names: dict[_Callee, str] = {}
    for callee, callers in users.items():
        shared = f"{callee[0].template}_shared"
        name = claim(shared, lambda text: [f"{model_id}_{text}"], used) if len(callers) > 1 else callers[0]
        names[callee] = f"{model_id}_{name}"
    return names


def _pointers(plan: Plan, graph: Graph, inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Pointer]:
    """Where each tensor is in C: a parameter where it shares the memory of an input or output, else in the arena."""
    parameter = {port.name: port for port in (*inputs, *outputs)}
    pointers = {}
    for storage in plan.storages:
        given = [parameter[name] for name in storage.tensors if name in parameter]
        place = f"arena + {storage.offset}" if storage.offset else "arena"
        name, c_type = (given[0].accessor, given[0].c_type) if given else (place, "int8_t")
        is_input = bool(given) and given[0] in inputs
        for tensor in storage.tensors:
            pointers[tensor] = Pointer(name, c_type, C_TYPES[graph.tensors[tensor].dtype], is_input)
    return pointers


def _describe(step: Step, call: Call, layer_id: str) -> str:
    """The comment line of a layer above its function."""
    layer: Layer = step.layer
    shapes = ", ".join(_shape(t) for t in layer.activations)
    bound = f", |accumulator| <= {call.bound}" if call.bound else ""
    return f"{layer_id}: {type(layer.op).__name__} {shapes} -> {_shape(layer.output)}{bound}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _digest(
    functions: Sequence[Function],
    arrays: Sequence[DataArray],
    calls: Sequence[str],
    ports: Sequence[Port],
    plan: Plan,
) -> str:
    """CRC-32 over all that the model computes with and its header states: both files of one model carry the same."""
    crc = zlib.crc32(f"{plan.arena_bytes}".encode())
    interface = [
        f"{p.macro} {p.tensor.shape} {p.tensor.dtype} {p.tensor.quant} {plan.storage_of(p.name).offset}" for p in ports
    ]
    for text in (*interface, *(f.text for f in functions), *calls):
        crc = zlib.crc32(text.encode(), crc)
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array.values).tobytes(), crc)
    return f"0x{crc:08x}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_float"] = c_float
    return environment
