"""Scores and their softmax by masks: what tests of both passes over them share."""

from __future__ import annotations

import numpy as np
import onnx
from onnx_models import original_outputs

from mcuq.compile import quantize_model
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array

SCORES = (1, 2, 5, 6)


def scores(count: int = 8) -> Array:
    """So many samples of them."""
    return np.random.default_rng(4).normal(0, 2, (count, *SCORES)).astype(np.float32)


def operators(graph: Graph) -> list[str]:
    """Of the nodes, in order."""
    return [type(n.op).__name__ for n in graph.nodes]


def check_float(proto: onnx.ModelProto, data: dict[str, Array]) -> Graph:
    """Assert that samples of the data give what the model means, NaN included; returns the graph of floats."""
    graph = quantize_model(proto.SerializeToString(), scheme="float32").graph
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, data)))["y"]
    count = len(next(iter(data.values())))
    want = np.stack([original_outputs(proto, {n: v[i] for n, v in data.items()})["y"] for i in range(count)])
    assert np.allclose(got, want, atol=1e-6, equal_nan=True)
    return graph
