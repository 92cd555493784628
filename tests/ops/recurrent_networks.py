"""Recurrent layers for tests: as files, and as graphs that know what their operators hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx_models import model, node
from support import Case, float_graph, random_inputs

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, collect, scaled_tensors
from mcuq.quantize.scheme import parse_scheme

KINDS = {"LSTM": 4, "GRU": 3, "RNN": 1}
OUTPUTS = ("Y", "Y_h", "Y_c")


def quantized(case: Case, scheme: str, seed: int = 0) -> tuple[Graph, dict[str, Array], dict[str, Array]]:
    """The graph of integers that knows what its operator holds, inputs for it, and these as real numbers."""
    graph = float_graph(*case)
    ranges = dict.fromkeys(scaled_tensors(graph), (-1.0, 1.0))
    first = quantize_graph(graph, ranges, parse_scheme(scheme))
    inputs = random_inputs(first, 6, seed)
    reals = {name: first.tensors[name].decode(x) for name, x in inputs.items()}
    samples = [{name: x[k] for name, x in reals.items()} for k in range(6)]
    held = {name: span for name, span in collect(graph, samples).ranges(DEFAULT_METHOD).items() if name not in ranges}
    return quantize_graph(graph, {**ranges, **held}, parse_scheme(scheme)), inputs, reals


def onnx_model(
    op_type: str,
    directions: int = 1,
    steps: int = 4,
    batch: int = 2,
    features: int = 3,
    hidden: int = 5,
    given: Sequence[str] = ("B",),
    outputs: Sequence[str] = ("Y", "Y_h"),
    lengths: Sequence[int] = (),
    size: float = 0.7,
    computed: Sequence[str] = (),
    **attributes: object,
) -> onnx.ModelProto:
    """A file of one layer with weights up to `size`; `given` are the optional inputs that it has, `computed` those that
    are the model's."""
    rng = np.random.default_rng([steps, batch, features, hidden, directions])
    rows = KINDS[op_type] * hidden
    is_second = attributes.get("layout", 0) == 1
    state = (batch, directions, hidden) if is_second else (directions, batch, hidden)
    shapes = {
        "W": (directions, rows, features),
        "R": (directions, rows, hidden),
        "B": (directions, 2 * rows),
        "initial_h": state,
        "initial_c": state,
        "P": (directions, 3 * hidden),
    }
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if op_type == "LSTM" else [])]
    constants: dict[str, Array] = {
        name: rng.uniform(-size, size, shape).astype(np.float32)
        for name, shape in shapes.items()
        if name in ("W", "R", *given) and name not in computed
    }
    if lengths:
        constants["sequence_lens"] = np.array(lengths, np.int32)
    inputs: dict[str, tuple[int, ...]] = {"X": (batch, steps, features) if is_second else (steps, batch, features)}
    inputs |= {name: shapes[name] for name in computed}
    used = [name if name in constants or name in inputs else "" for name in names]
    made = [name if name in outputs else "" for name in (OUTPUTS if op_type == "LSTM" else OUTPUTS[:2])]
    if directions == 2:
        attributes["direction"] = "bidirectional"
    layer = node(op_type, used, made, "layer", hidden_size=hidden, **attributes)
    return model([layer], inputs, outputs, constants)
