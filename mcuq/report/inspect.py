"""What is in an ONNX model, and whether mcuq can compile it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Unpack

from mcuq.graph.ir import State
from mcuq.importer import (
    WHOLE,
    Model,
    Selection,
    Sizes,
    Unsupported,
    dynamic_layers,
    model_path,
    needed_nodes,
    read_model,
    read_states,
    suggested_states,
    try_convert,
    with_states,
)
from mcuq.importer.load import opset
from mcuq.options import Wanted, options_of
from mcuq.passes import optimize
from mcuq.quantize import GivenQuantization, given_quantization


@dataclass(frozen=True)
class LayerSummary:
    """One layer as it will be compiled: after folding and fusion."""

    name: str
    op: str
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True)
class Inspection:
    """A model's contents.

    `operators` counts the ONNX nodes by type; `unsupported` names the nodes that mcuq has no operator for,
    `problems` says what else is not supported. Where there are any, `layers` is empty, and `macs`, `parameters` and
    `quantization` are None. `quantization` is what of it came with the model, and `dynamic` the layers that ask for
    activation ranges found at run time. `states` are the pairs of an input and an output that were asked to be such,
    and `suggested` those that may be, by shape and name.
    """

    name: str
    opset: int
    producer: str
    operators: Mapping[str, int]
    unsupported: Mapping[str, list[str]]
    problems: tuple[str, ...]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    layers: tuple[LayerSummary, ...]
    macs: int | None
    parameters: int | None
    quantization: GivenQuantization | None
    dynamic: tuple[str, ...]
    states: tuple[State, ...] = ()
    suggested: tuple[State, ...] = ()


def inspect_model(source: Model, shapes: Sizes | None = None, **wanted: Unpack[Wanted]) -> Inspection:
    """Read a model and list its contents; `shapes` and all else as for compile.

    Raises ModelError where the file cannot be read or is invalid, TypeError for what is none of Wanted.
    """
    return inspect_selected(source, shapes, options_of(**wanted).selected)


def inspect_selected(source: Model, shapes: Sizes | None = None, selected: Selection = WHOLE) -> Inspection:
    """The same of what is selected.

    Raises ModelError where the file cannot be read or is invalid.
    """
    path = model_path(source)
    model, asked = read_states(read_model(source, shapes, selected), selected, path.name)
    nodes = needed_nodes(model.graph, path.name)
    inputs = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input}
    results: dict[str, tuple[int, ...]] = {}
    layers: tuple[LayerSummary, ...] = ()
    quantization = None
    unsupported: Mapping[str, list[str]] = {}
    problems: tuple[str, ...] = ()
    suggested: tuple[State, ...] = ()
    found = try_convert(model, path.name)
    if isinstance(found, Unsupported):
        unsupported, problems = found.operators, found.problems
    else:
        suggested = () if asked else suggested_states(found[0])
        asked = with_states(found[0], asked, path.name).states
        graph = optimize(found[0])
        quantization = given_quantization(graph)
        results = {name: graph.tensors[name].shape for name in graph.outputs}
        layers = tuple(
            LayerSummary(
                layer.name,
                type(layer.op).__name__,
                layer.output.shape,
                layer.op.macs(layer),
                sum(t.elements for t in layer.inputs if t.is_constant),
            )
            for layer in graph.layers()
        )
    return Inspection(
        name=path.name,
        opset=opset(model),
        producer=model.producer_name,
        operators=dict(sorted(Counter(node.op_type for node in nodes).items())),
        unsupported=unsupported,
        problems=problems,
        inputs=inputs,
        outputs=results,
        layers=layers,
        macs=None if quantization is None else sum(layer.macs for layer in layers),
        parameters=None if quantization is None else sum(layer.parameters for layer in layers),
        quantization=quantization,
        dynamic=dynamic_layers(model),
        states=asked,
        suggested=suggested,
    )
