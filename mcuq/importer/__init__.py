"""ONNX or TensorFlow Lite file -> float Graph."""

from __future__ import annotations

import onnx

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.importer.convert import convert, try_convert
from mcuq.importer.edges import float_edges
from mcuq.importer.input_layout import with_channels_last
from mcuq.importer.load import Model, load_onnx, model_path
from mcuq.importer.nodes import needed_nodes, unsupported_nodes
from mcuq.importer.other_spellings import runnable
from mcuq.importer.problems import Unsupported, nearest
from mcuq.importer.qdq import dynamic_layers, to_qdq
from mcuq.importer.select import INPUT_LAYOUTS, WHOLE, InputLayout, Selection, select, selection
from mcuq.importer.shapes import Sizes, fix_shapes, give_sizes
from mcuq.importer.states import read_states, suggested_states, with_states
from mcuq.importer.windows import state_windows


def import_model(
    source: Model, shapes: Sizes | None = None, selected: Selection = WHOLE
) -> tuple[Graph, onnx.ModelProto]:
    """Read an ONNX or TensorFlow Lite file, or a model that is in memory.

    `shapes` gives sizes to symbolic dimensions and whole shapes to inputs, by name; a symbolic batch is 1 where it
    gives none. `selected` says which outputs are wanted, which inputs are constant, and which are states. Returns the
    graph in the model's own layout, and the model with its weights inside, all input shapes fixed and no window left to
    the runtime, ready for ONNX Runtime. Raises ModelError for a file that cannot be read or that uses what is not
    supported.
    """
    name = model_path(source).name
    model = read_model(source, shapes, selected)
    model, states = read_states(model, selected, name)
    graph, windows = convert(model, name)
    state_windows(model, windows)
    return with_states(graph, states, name), model


def read_model(source: Model, shapes: Sizes | None = None, selected: Selection = WHOLE) -> onnx.ModelProto:
    """The model with its weights inside and all input shapes fixed, whatever its operators.

    Inputs and outputs that the file quantizes to int8 or uint8 are float32 here, with their Q/DQ. Raises ModelError for
    a file that cannot be read, and for inputs without sizes or of other types: with which operators are not supported,
    which is known without shapes.
    """
    name = model_path(source).name
    model, sizes = give_sizes(load_onnx(source), shapes or {}, name)
    fixed, problems = fix_shapes(float_edges(select(model, selected, sizes, name)), sizes, name)
    if problems:
        operators = unsupported_nodes(fixed.graph, needed_nodes(fixed.graph, name))
        raise ModelError(Unsupported(operators, problems).text(name))
    if selected.layout == "nhwc":
        fixed = with_channels_last(fixed, [x for x, _ in selected.states], name)
    return runnable(fixed)


__all__ = [
    "INPUT_LAYOUTS",
    "WHOLE",
    "InputLayout",
    "Model",
    "Selection",
    "Sizes",
    "Unsupported",
    "convert",
    "dynamic_layers",
    "import_model",
    "model_path",
    "nearest",
    "needed_nodes",
    "read_model",
    "read_states",
    "selection",
    "suggested_states",
    "to_qdq",
    "try_convert",
    "with_states",
]
