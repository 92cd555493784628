"""What of a model is wanted: outputs chosen from all its tensors, and inputs that are made constants."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias, get_args

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.errors import ModelError, did_you_mean
from mcuq.importer.constants import data_type_name, reads
from mcuq.importer.folding import SPARE_BYTES
from mcuq.importer.load import opset
from mcuq.importer.nodes import needed_nodes
from mcuq.importer.qdq import to_qdq
from mcuq.importer.shapes import fix_dimensions
from mcuq.importer.types import all_types

InputLayout: TypeAlias = Literal["model", "nhwc"]
INPUT_LAYOUTS: tuple[InputLayout, ...] = get_args(InputLayout)


@dataclass(frozen=True)
class Selection:
    """The tensors that are to be the model's outputs (none: its own), and its inputs that are constant, with the value
    of all their elements. `states` are pairs of an input and an output; where `stateful`, the states of recurrent
    operators are such pairs too. `initial` has the values of states to begin with that are not 0, by their inputs.
    `layout` says whether images are given with their channels last, whatever the file's own order."""

    outputs: tuple[str, ...] = ()
    fixed: tuple[tuple[str, float], ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    stateful: bool = False
    initial: tuple[tuple[str, float], ...] = ()
    layout: InputLayout = "model"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The outputs that are chosen, and those of states; none: the model's own."""
        of_states = (y for _, y in self.states if y not in self.outputs)
        return (*self.outputs, *of_states) if self.outputs else ()

    def text(self) -> tuple[str, ...]:
        """What is said of it where the model's origin is told."""
        outputs = (f"outputs {', '.join(map(repr, self.outputs))}",) if self.outputs else ()
        fixed = tuple(f"input {name!r} fixed to {value}" for name, value in self.fixed)
        initial = dict(self.initial)
        states = tuple(f"state {x}={y}" + (f" from {initial[x]:g}" if x in initial else "") for x, y in self.states)
        layout = ("images given with channels last",) if self.layout == "nhwc" else ()
        return outputs + fixed + states + (("stateful",) if self.stateful else ()) + layout


WHOLE = Selection()


def selection(
    outputs: Sequence[str] | None,
    fix_inputs: Mapping[str, float] | None,
    states: Mapping[str, str] | None = None,
    stateful: bool = False,
    initial_states: Mapping[str, float] | None = None,
    layout: InputLayout | None = None,
) -> Selection:
    """The Selection of what callers from Python give: None for what stays as it is. A single name is one output.

    Raises ModelError for a value that is no number, and a layout that is none.
    """
    if layout is not None and layout not in INPUT_LAYOUTS:
        raise ModelError(f"input_layout: '{layout}' is none; there are {', '.join(map(repr, INPUT_LAYOUTS))}")
    for name, value in (fix_inputs or {}).items():
        if not isinstance(value, numbers.Real):
            raise ModelError(f"fix_inputs: input '{name}' cannot be fixed to {value!r}; give a number")
    for name, value in (initial_states or {}).items():
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ModelError(f"initial_states: state '{name}' cannot begin with {value!r}; give a number")
    return Selection(
        (outputs,) if isinstance(outputs, str) else tuple(outputs or ()),
        tuple((fix_inputs or {}).items()),
        tuple((states or {}).items()),
        stateful,
        tuple((initial_states or {}).items()),
        layout or "model",
    )


def select(model: onnx.ModelProto, selection: Selection, sizes: Mapping[str, int], name: str) -> onnx.ModelProto:
    """The model with the outputs and the constants of `selection`; a copy where it changes.

    With outputs chosen, nodes, weights and inputs that these do not need are left out. A fixed input becomes a weight
    of the input's type and shape; `sizes` are those of symbolic dimensions. Raises ModelError for names that the model
    does not have, and values that an input cannot have.
    """
    if not selection.outputs and not selection.fixed:
        return model
    selected = onnx.ModelProto()
    selected.CopyFrom(model)
    _fix_inputs(selected.graph, dict(selection.fixed), sizes, name)
    if selection.outputs:
        _choose_outputs(selected, selection.wanted, name)
    return selected


def _fix_inputs(graph: onnx.GraphProto, fixed: Mapping[str, float], sizes: Mapping[str, int], name: str) -> None:
    weights = {t.name for t in graph.initializer}
    inputs = {v.name: v for v in graph.input if v.name not in weights}
    for wanted in fixed:
        if wanted not in inputs:
            known = f"; its inputs are {', '.join(map(repr, inputs))}"
            raise ModelError(f"{name}: has no input '{wanted}' to fix{did_you_mean(wanted, inputs) or known}")
    if fixed and len(fixed) == len(inputs):
        raise ModelError(f"{name}: all its inputs are fixed; leave one to give when it runs")
    graph.initializer.extend(_constant(inputs[wanted], value, sizes, name) for wanted, value in fixed.items())
    kept = [v for v in graph.input if v.name not in fixed]
    del graph.input[:]
    graph.input.extend(kept)


def _constant(value: onnx.ValueInfoProto, number: float, sizes: Mapping[str, int], name: str) -> TensorProto:
    """The input as a tensor whose elements all are `number`."""
    where = f"{name}: input '{value.name}'"
    tensor = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type" or not tensor.elem_type:
        raise ModelError(f"{where} is no tensor of a known type; only tensors can be fixed")
    if not tensor.HasField("shape"):
        raise ModelError(f"{where} has no shape; give one with --shape {value.name}=N,N")
    fix_dimensions(value, sizes, name)
    shape = tuple(d.dim_value for d in tensor.shape.dim)
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if prod(shape) * dtype.itemsize > SPARE_BYTES:
        raise ModelError(
            f"{where} takes {prod(shape) * dtype.itemsize:,} bytes when fixed; supported are {SPARE_BYTES:,}"
        )
    if (possible := _unless_it_can_be(dtype, number)) is not None:
        type_name = data_type_name(tensor.elem_type)
        raise ModelError(f"{where} is {type_name} and cannot be fixed to {number}; give {possible}")
    return numpy_helper.from_array(np.full(shape, number, dtype), value.name)


def _unless_it_can_be(dtype: np.dtype[np.generic], number: float) -> str | None:
    """What elements of this type can be, where the number is not of them; what is no integer may be rounded."""
    is_finite = -sys.float_info.max <= number <= sys.float_info.max
    if dtype.kind == "b":
        return None if number in (0, 1) else "0 or 1"
    if dtype.kind in "iu":
        least, most = int(np.iinfo(dtype.name).min), int(np.iinfo(dtype.name).max)
        is_held = is_finite and number == int(number) and least <= number <= most
        return None if is_held else f"an integer from {least} to {most}"
    with np.errstate(over="ignore"):
        is_held = is_finite and bool(np.isfinite(np.array(float(number)).astype(dtype).astype(np.float64)))
    return None if is_held else "a finite number that the type can hold"


def _choose_outputs(model: onnx.ModelProto, outputs: Sequence[str], name: str) -> None:
    graph = model.graph
    computed = [output for node in graph.node for output in node.output if output]
    known = {*computed, *(v.name for v in graph.input), *(t.name for t in graph.initializer)}
    stated = {v.name: v for v in graph.output}
    for wanted in outputs:
        if wanted not in known:
            near = did_you_mean(wanted, computed) or f"; its outputs are {', '.join(map(repr, stated))}"
            raise ModelError(f"{name}: has no tensor '{wanted}' to be an output{near}")
    del graph.output[:]
    graph.output.extend(stated.get(wanted, onnx.ValueInfoProto(name=wanted)) for wanted in outputs)
    nodes = needed_nodes(graph, name)
    del graph.node[:]
    graph.node.extend(nodes)
    read = {i for node in nodes for i in reads(node)} | set(outputs)
    for field in (graph.input, graph.initializer):
        kept = [entry for entry in field if entry.name in read]
        del field[:]
        field.extend(kept)
    _state_types(model, name)


def _state_types(model: onnx.ModelProto, name: str) -> None:
    """Give types to the outputs that have none, as computed from those of inputs and weights."""
    quantized = to_qdq(model)
    types = all_types(needed_nodes(quantized.graph, name), quantized, opset(model))
    for value in model.graph.output:
        if value.type.WhichOneof("value") is None:
            value.type.tensor_type.elem_type = TensorProto.DataType.Value(types.get(value.name, "float").upper())
