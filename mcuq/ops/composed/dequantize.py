"""DequantizeLinear behind a Gather of a quantized table: the rows of its real values, which keep their quantization."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.given import read_given
from mcuq.onnx_io.reader import OnnxNode


def from_dequantize_of_integers(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of one scale; integers that are computed have none that calibration could use."""
    producer = graph.producer(node.integers(0))
    if producer is None or not producer.op.choosing or not graph.tensors[producer.inputs[0]].is_constant:
        raise node.error(
            "dequantizes integers that are computed; supported are rows of a constant table; use Cast and Mul"
        )
    given, zero_points = read_given(node, node.shape(0))
    if given.axis is not None:
        raise node.error(f"has a scale for each index of dimension {given.axis} of a table's rows; give the table one")
    table = graph.tensors[producer.inputs[0]]
    real = (table.values - zero_points.reshape(())).astype(np.float32) * np.float32(given.scale[0])
    rows = graph.constant(real.astype(np.float32), table.name, given.quant)
    y = graph.add(producer.op, [rows, *producer.inputs[1:]], node.outputs[0], node.name)
    graph.give(y, given.quant)
    return y
