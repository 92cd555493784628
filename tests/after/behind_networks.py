"""Small networks with something behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def network(classes: int = 4, size: int = 6, names: Sequence[str] = ("y",)) -> onnx.ModelProto:
    """Sums of the input `x` (1, size), to an output (1, classes) of each name."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []
    for name in names:
        weights.append(numpy_helper.from_array(rng.normal(0, 1, (size, classes)).astype(np.float32), f"{name}_w"))
        nodes.append(helper.make_node("MatMul", ["x", f"{name}_w"], [name]))
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, size))]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, classes)) for name in names]
    graph = helper.make_graph(nodes, "behind", given, taken, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def data(samples: int = 40, size: int = 6) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (samples, 1, size)).astype(np.float32)[:, 0]
