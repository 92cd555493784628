"""Program + Plan -> C files; the only module that knows Jinja."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import jinja2
import numpy as np

from mcuq.identifiers import identifiers
from mcuq.ir import Graph
from mcuq.lower import Program, Step
from mcuq.operator import Call, Constants, Layer
from mcuq.plan import Plan
from mcuq.resources import resource_dir
from mcuq.tensor import Array, Tensor
from mcuq.version import __version__

C_TYPES = {"int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "uint8": "uint8_t", "uint16": "uint16_t"}
COLUMNS = 110


@dataclass(frozen=True)
class Port:
    """An input or output of the model as the header shows it."""

    name: str
    identifier: str
    tensor: Tensor
    accessor: str  # "input" or "output" where there is only one, else the identifier

    @property
    def macro(self) -> str:
        """Stem of the port's macros."""
        return self.identifier.upper()


@dataclass(frozen=True)
class DataArray:
    """Constant data with its C name and type."""

    name: str
    c_type: str
    values: Array

    @property
    def text(self) -> str:
        """The initializer's lines."""
        return wrap([str(v) for v in self.values.reshape(-1).tolist()], ", ", COLUMNS - 4, "    ")


@dataclass(frozen=True)
class Function:
    """A rendered kernel, the layers that call it, and the largest accumulator bound among them."""

    name: str
    text: str
    users: tuple[str, ...] = ()
    bound: int = 0


def emit(program: Program, plan: Plan, model_id: str) -> dict[str, str]:
    """File name -> text of MODEL_ID.c and MODEL_ID.h; the same program gives the same bytes."""
    graph = program.graph
    inputs, outputs = ports(graph)
    layer_ids = identifiers([step.layer.name for step in program.steps], "layer", taken=("run", "run_in", "arena"))
    functions, arrays, calls = _render_calls(program, plan, model_id, layer_ids, inputs, outputs)
    environment = _environment()
    parameters = [f"const int8_t *{port.accessor}" for port in inputs]
    parameters += [f"int8_t *{port.accessor}" for port in outputs]
    context = {
        "version": __version__,
        "id": model_id,
        "ID": model_id.upper(),
        "inputs": inputs,
        "outputs": outputs,
        "arena_bytes": plan.arena_bytes,
        "offset": {port.name: plan.storage_of(port.name).offset for port in (*inputs, *outputs)},
        "macs": graph.macs(),
        "parameter_bytes": sum(array.values.nbytes for array in arrays),
        "arrays": arrays,
        "functions": functions,
        "runtime": runtime_functions("\n".join(f.text for f in functions)),
        "calls": calls,
        "parameters": ", ".join(parameters),
        "arguments": ", ".join(port.accessor for port in (*inputs, *outputs)),
        "uses_arena": any(re.search(r"\barena\b", call) for call in calls),
        "digest": _digest(functions, arrays, calls),
    }
    return {
        f"{model_id}.h": environment.get_template("model.h.j2").render(context),
        f"{model_id}.c": environment.get_template("model.c.j2").render(context),
    }


def accessors(graph: Graph, model_id: str) -> dict[str, str]:
    """Input or output tensor -> the C function that gives its place in the model's own arena."""
    return {port.name: f"{model_id}_{port.accessor}" for side in ports(graph) for port in side}


def ports(graph: Graph) -> tuple[list[Port], list[Port]]:
    """(inputs, outputs) with distinct identifiers."""
    names = [*graph.inputs, *graph.outputs]
    stems = identifiers(names, "tensor", taken=("run", "run_in", "arena", "memory", "digest"))
    count = len(graph.inputs)
    found = []
    for index, (name, stem) in enumerate(zip(names, stems, strict=True)):
        kind, alone = ("input", count == 1) if index < count else ("output", len(names) == count + 1)
        found.append(Port(name, stem, graph.tensors[name], kind if alone else stem))
    return found[:count], found[count:]


def c_float(value: float) -> str:
    """A C float literal that names the same float32."""
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def wrap(items: Sequence[str], separator: str, columns: int, indent: str) -> str:
    """Items on as few lines as fit."""
    lines: list[str] = []
    line = ""
    for item in items:
        piece = item + separator
        if line and len(line) + len(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines.append(line.rstrip().rstrip(separator.strip()))
    return "\n".join(indent + text for text in lines)


def runtime_functions(text: str) -> list[str]:
    """The functions of mcuq_math.h that `text` uses, directly or through each other, in the header's order."""
    source = (resource_dir("firmware") / "mcuq_math.h").read_text()
    definition = r"(?:/\*(?:(?!\*/).)*\*/\n)?static inline \w+ (mcuq_\w+)\(.*?\n}\n"
    by_name = {found[1]: found[0].strip() for found in re.finditer(definition, source, re.DOTALL)}
    wanted: set[str] = set()
    pending = [text]
    while pending:
        body = pending.pop()
        for name in set(re.findall(r"\bmcuq_\w+", body)) - wanted:
            if name in by_name:
                wanted.add(name)
                pending.append(by_name[name])
    return [block for name, block in by_name.items() if name in wanted]


def render_kernel(constants: Constants, function: str) -> str:
    """The C function of a kernel template."""
    values = {f.name: getattr(constants, f.name) for f in fields(constants)}
    template = _environment().get_template(f"kernels/{constants.template}.c.j2")
    return template.render(function=function, **values).strip()


def _render_calls(
    program: Program, plan: Plan, model_id: str, layer_ids: Sequence[str], inputs: list[Port], outputs: list[Port]
) -> tuple[list[Function], list[DataArray], list[str]]:
    """Functions shared by all calls with the same constants, their data, and the body of run_in."""
    names = _function_names(program, model_id, layer_ids)
    functions: dict[Constants, Function] = {}
    arrays: list[DataArray] = []
    calls: list[str] = []
    pointers = _pointers(program, plan, inputs, outputs)
    for index, (step, layer_id) in enumerate(zip(program.steps, layer_ids, strict=True)):
        for number, call in enumerate(step.calls):
            name = names[call.constants]
            function = functions.get(call.constants) or Function(name, render_kernel(call.constants, name))
            users = (*function.users, _describe(step, call, layer_id))
            functions[call.constants] = replace(function, users=users, bound=max(function.bound, call.bound))
            stem = f"{model_id}_{layer_id}" + (f"_{number + 1}" if len(step.calls) > 1 else "")
            data = [DataArray(f"{stem}_{key}", C_TYPES[a.dtype.name], a) for key, a in call.arrays.items()]
            arrays += data
            arguments = [pointers[step.layer.inputs[i].name] for i in call.inputs]
            arguments += [array.name for array in data]
            if call.scratch_bytes:
                arguments.append(f"arena + {plan.scratch[index]}")
            arguments.append(pointers[step.layer.output.name])
            lines = wrap([f"{name}({arguments[0]}", *arguments[1:]], ", ", COLUMNS - 8, "        ")
            calls.append(f"/* {layer_id} */\n    {lines.strip()});")
    return list(functions.values()), arrays, calls


def _function_names(program: Program, model_id: str, layer_ids: Sequence[str]) -> dict[Constants, str]:
    """A function of one call is named after its layer, a shared one after its kernel."""
    users: dict[Constants, list[str]] = {}
    for step, layer_id in zip(program.steps, layer_ids, strict=True):
        for number, call in enumerate(step.calls):
            suffix = f"_{number + 1}" if len(step.calls) > 1 else ""
            users.setdefault(call.constants, []).append(layer_id + suffix)
    names: dict[Constants, str] = {}
    taken = {layer_id.lower() for layer_id in layer_ids}
    for constants, layers in users.items():
        name = layers[0]
        if len(layers) > 1:
            name = identifiers([f"{constants.template}_shared"], taken=taken)[0]
            taken.add(name.lower())
        names[constants] = f"{model_id}_{name}"
    return names


def _pointers(program: Program, plan: Plan, inputs: list[Port], outputs: list[Port]) -> dict[str, str]:
    """The C expression for each tensor: a parameter where it shares the memory of an input or output."""
    parameter = {port.name: port.accessor for port in (*inputs, *outputs)}
    pointers = {}
    for storage in plan.storages:
        given = [parameter[name] for name in storage.tensors if name in parameter]
        for name in storage.tensors:
            pointers[name] = given[0] if given else f"arena + {storage.offset}" if storage.offset else "arena"
    return pointers


def _describe(step: Step, call: Call, layer_id: str) -> str:
    """The comment line of a layer above its function."""
    layer: Layer = step.layer
    shapes = ", ".join(_shape(t) for t in layer.activations)
    bound = f", |accumulator| <= {call.bound}" if call.bound else ""
    return f"{layer_id}: {type(layer.op).__name__} {shapes} -> {_shape(layer.output)}{bound}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _digest(functions: Sequence[Function], arrays: Sequence[DataArray], calls: Sequence[str]) -> str:
    """CRC-32 over all that the model computes with: header and source of one model carry the same."""
    crc = 0
    for text in (*(f.text for f in functions), *calls):
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
