"""The functions that a program calls, their constant data, and the calls in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcuq.emit.data import DataArray
from mcuq.emit.names import Callee, call_names, callee_of, function_names
from mcuq.emit.parameters import assumes, render_shared
from mcuq.emit.port import Port
from mcuq.emit.render import render_kernel
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


@dataclass(frozen=True)
class Pointer:
    """A place in C: an expression `name` of type `c_type` *, used as a pointer to elements of `element_type`."""

    name: str
    c_type: str
    element_type: str
    is_read_only: bool = False
    is_in_arena: bool = False

    @property
    def text(self) -> str:
        """The argument; by way of void, as places are aligned for all elements and compilers need not be told."""
        if self.element_type == self.c_type:
            return self.name
        const = "const " if self.is_read_only else ""
        return f"({const}{self.element_type} *)({const}void *)({self.name})"


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
    """A call in ID_run_in: its text, and what it is of. A layer's first call `is_first`; `uses_arena` says that any of
    its arguments lies there."""

    text: str
    layer: str
    is_first: bool
    function: str
    arrays: tuple[str, ...]
    output_offset: int
    uses_arena: bool


def render_calls(
    program: Program,
    plan: Plan,
    model_id: str,
    layer_ids: Sequence[str],
    pointers: Mapping[str, Pointer],
    used: set[str],
) -> tuple[list[Function], list[DataArray], list[ModelCall]]:
    """Functions shared by all calls with the same constants, their data (equal arrays once), and the body of run_in."""
    names = function_names(program, model_id, layer_ids, used)
    functions: dict[Callee, Function] = {}
    arrays: dict[tuple[str, bytes], DataArray] = {}
    calls: list[ModelCall] = []
    for index, (step, layer_id) in enumerate(zip(program.steps, layer_ids, strict=True)):
        offset = plan.storage_of(step.layer.output.name).offset
        stems = call_names(step, f"{model_id}_{layer_id}")
        for number, (stem, call) in enumerate(zip(stems, step.calls, strict=True)):
            name = names[callee_of(call)]
            function = functions.get(callee_of(call)) or _function(call, name)
            users = (*function.users, _describe(step, call, layer_id))
            functions[callee_of(call)] = replace(function, users=users, bound=max(function.bound, call.bound))
            data = [
                arrays.setdefault(array_key(a), DataArray(f"{stem}_{key}", C_TYPES[a.dtype.name], a))
                for key, a in call.arrays.items()
            ]
            places = [pointers[step.layer.inputs[i].name] for i in call.inputs]
            arguments = [place.text for place in places]
            if call.unpacked:
                arguments.append(Pointer(f"arena + {plan.scratch[index]}", "int8_t", C_TYPES[call.unpacked], True).text)
            arguments += [array.name for array in data]
            if call.scratch_bytes:
                arguments.append(f"arena + {plan.scratch[index] + call.scratch_offset}")
            if call.has_output:
                places.append(pointers[step.layer.output.name])
                arguments.append(places[-1].text)
            lines = wrap([f"{name}({arguments[0]}", *arguments[1:]], ", ", COLUMNS - 8, "        ")
            text = f"/* {layer_id} */\n    {lines.strip()});"
            given = tuple(array.name for array in data)
            uses_arena = any(place.is_in_arena for place in places) or call.unpacked != "" or call.scratch_bytes > 0
            calls.append(ModelCall(text, layer_id, number == 0, name, given, offset, uses_arena))
    return list(functions.values()), list(arrays.values()), calls


def _function(call: Call, name: str) -> Function:
    """The function that the call calls."""
    constants = call.constants
    needs = needs_of(constants)
    if not call.parameters:
        return Function(name, render_kernel(constants, name), constants, needs)
    text = render_shared(constants, name, call.parameters, C_TYPES[call.arrays[PARAMETERS].dtype.name])
    return Function(name, text, constants, (*needs, *(["MCUQ_ASSUME"] if assumes(constants, call.parameters) else [])))


def pointers_of(plan: Plan, graph: Graph, inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Pointer]:
    """Where each tensor is in C: a parameter where it shares the memory of an input or output, else in the arena."""
    parameter = {port.name: port for port in (*inputs, *outputs)}
    pointers = {}
    for storage in plan.storages:
        given = [parameter[name] for name in storage.tensors if name in parameter]
        place = f"arena + {storage.offset}" if storage.offset else "arena"
        name, c_type = (given[0].accessor, given[0].c_type) if given else (place, "int8_t")
        is_input = bool(given) and given[0] in inputs
        for tensor in storage.tensors:
            pointers[tensor] = Pointer(name, c_type, C_TYPES[graph.tensors[tensor].dtype], is_input, not given)
    return pointers


def _describe(step: Step, call: Call, layer_id: str) -> str:
    """The comment line of a layer above its function."""
    layer: Layer = step.layer
    shapes = ", ".join(_shape(t) for t in layer.activations)
    bound = f", |accumulator| <= {call.bound}" if call.bound else ""
    return f"{layer_id}: {type(layer.op).__name__} {shapes} -> {_shape(layer.output)}{bound}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
