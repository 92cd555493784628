"""Graphs under schemes with floats, and inputs that floats alone can be, for the tests of float kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from support import RANGES, Case, Inputs, float_branches, model_of, run_float

from mcuq.boards.facts import Board
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.lower import Goal
from mcuq.onnx_io.writer import write_onnx
from mcuq.quantize import Scheme, insert_conversions, quantize_graph
from mcuq.quantize.calibrate import Range, scaled_tensors
from mcuq.quantize.scheme import LayerScheme
from mcuq.validate import BitsReport, check_bits

FLOAT = Scheme(LayerScheme("float32", "float32"))
HALF = Scheme(LayerScheme("float16", "float32"))
DYNAMIC = Scheme(LayerScheme("int8", "float32"))

# Numbers at which float arithmetic is different: both zeros, subnormal, least and greatest ones, infinities, NaN.
CORNERS = np.array([0.0, -0.0, 1e-40, -1e-40, 1.2e-38, 1.0, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)


def with_scheme(graph: Graph, scheme: Scheme, seed: int = 0) -> Graph:
    """The float graph in the scheme's numbers; integer tensors have RANGES in turn."""
    graph = insert_conversions(graph, scheme)
    names = scaled_tensors(graph)
    ranges: dict[str, Range] = {name: RANGES[(i + seed) % len(RANGES)] for i, name in enumerate(names)}
    return quantize_graph(graph, ranges, scheme)


def float_layer(op: Operator, inputs: Inputs, scheme: Scheme = FLOAT) -> Graph:
    """One operator, from x0, x1, ... to y0."""
    return with_scheme(float_branches([(op, inputs)]), scheme)


def float_layers(cases: Sequence[Case], scheme: Scheme = FLOAT, seed: int = 0) -> Graph:
    """Operators side by side."""
    return with_scheme(float_branches(cases), scheme, seed)


def wild_inputs(graph: Graph, samples: int = 6, seed: int = 0) -> dict[str, Array]:
    """(samples, *shape) of each input's dtype: integers with both extremes; floats of size 1, of both extremes, of all
    exponents that there are, and with CORNERS strewn in."""
    rng = np.random.default_rng(seed)
    found = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        shape = (samples, *tensor.shape)
        if tensor.quant is not None:
            low, high = tensor.quant.bounds
            x = rng.integers(low, high + 1, shape).astype(tensor.dtype)
            x[:1], x[1:2] = low, high
        else:
            x = rng.normal(size=shape).astype(np.float32)
            if samples > 1:
                x[1:2] = rng.choice(np.array([-3e38, 3e38], np.float32), x[1:2].shape)
            x[2:3] = np.exp2(rng.uniform(-149, 127, x[2:3].shape)) * rng.choice([-1, 1], x[2:3].shape)
            x[3:4] = np.where(rng.random(x[3:4].shape) < 0.1, rng.choice(CORNERS, x[3:4].shape), x[3:4])
            x[4:5] = rng.choice(CORNERS, x[4:5].shape)
        found[name] = x
    return found


def check_floats(
    graph: Graph, on: str = "host", board: str | Board = "cortex-m4", samples: int = 6, optimize: Goal = "balanced"
) -> BitsReport:
    """Assert that the graph's C gives the simulator's bits for inputs of all kinds."""
    model = model_of(graph, board, optimize=optimize)
    report = check_bits(model, iter([wild_inputs(graph, samples)]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.compared_bytes == samples * sum(graph.tensors[name].size_bytes for name in graph.outputs)
    return report


def real_outputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What the simulator gives, as real numbers."""
    return {name: graph.tensors[name].decode(value) for name, value in simulate(graph, inputs).items()}


def float_meaning(cases: Sequence[Case], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What ONNX Runtime computes of operators side by side, (samples, *shape) by name."""
    return run_float(write_onnx(float_branches(cases)), inputs)
