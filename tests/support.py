"""What tests share: integer graphs of one layer, models around them, and runs of their C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuq.boards import load_board
from mcuq.builder import GraphBuilder
from mcuq.compile import CompiledModel, assemble
from mcuq.ir import Graph
from mcuq.operator import Operator
from mcuq.quantize import quantize_graph
from mcuq.quantize.calibrate import Range, scaled_tensors
from mcuq.tensor import Array
from mcuq.validate import BitsReport, check_bits


def float_graph(op: Operator, inputs: Sequence[tuple[int, ...] | Array]) -> Graph:
    """A float graph of one node, y = op(x0, x1, ...): a shape is a computed input, an array a constant."""
    builder = GraphBuilder("layer")
    names = [
        builder.constant(np.asarray(value, np.float32), f"c{i}")
        if isinstance(value, np.ndarray)
        else builder.input(f"x{i}", value)
        for i, value in enumerate(inputs)
    ]
    builder.outputs.append(builder.add(op, names, "y", "layer"))
    return builder.graph()


def integer_graph(
    op: Operator, inputs: Sequence[tuple[int, ...] | Array], ranges: Mapping[str, Range] | None = None
) -> Graph:
    """The int8 graph of one node; tensors without a range in `ranges` have [-1, 1]."""
    graph = float_graph(op, inputs)
    given = dict(ranges or {})
    return quantize_graph(graph, {name: given.get(name, (-1.0, 1.0)) for name in scaled_tensors(graph)})


def model_of(graph: Graph, board: str = "cortex-m4", name: str = "layer") -> CompiledModel:
    """The integer graph with its C, without an ONNX model."""
    return assemble(graph, load_board(board), name, b"", 0)


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> dict[str, Array]:
    """int8 (samples, *shape): the first sample is all -128, the second all 127, the rest random."""
    rng = np.random.default_rng(seed)
    result = {}
    for name in graph.inputs:
        x = rng.integers(-128, 128, (samples, *graph.tensors[name].shape)).astype(np.int8)
        x[:1], x[1:2] = -128, 127
        result[name] = x
    return result


def check_c(graph: Graph, on: str, samples: int = 6, seed: int = 0) -> BitsReport:
    """Run the graph's C on random inputs and both extremes, and assert that every byte is the simulator's."""
    report = check_bits(model_of(graph), iter([random_inputs(graph, samples, seed)]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == samples
    assert report.compared_bytes > 0
    return report
