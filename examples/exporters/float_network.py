"""The float network that tools which read ONNX quantize: convolutions (plain, depthwise, pointwise), a sum, a pool and
two dense layers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def network() -> onnx.ModelProto:
    """`image` (1, 1, 8, 8) to `scores` (1, 6), opset 21, its weights seeded."""
    rng = np.random.default_rng(7)
    constants: list[onnx.TensorProto] = []

    def weights(name: str, *shape: int) -> list[str]:
        """Weights of He's spread, and a bias."""
        spread = np.sqrt(2 / np.prod(shape[1:]))
        values = {f"{name}.weight": rng.normal(0, spread, shape), f"{name}.bias": rng.normal(0, 0.2, shape[0])}
        constants.extend(numpy_helper.from_array(value.astype(np.float32), key) for key, value in values.items())
        return list(values)

    constants += [
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("zero", 0), ("six", 6))
    ]
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["image", *weights("conv", 8, 1, 3, 3)], ["c"], "conv", **same),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", *weights("depthwise", 8, 1, 3, 3)], ["d"], "depthwise", group=8, **same),
        helper.make_node("Clip", ["d", "zero", "six"], ["k"], "relu6"),
        helper.make_node("Conv", ["k", *weights("pointwise", 8, 8, 1, 1)], ["w"], "pointwise", kernel_shape=[1, 1]),
        helper.make_node("Add", ["w", "p"], ["a"], "sum"),
        helper.make_node("GlobalAveragePool", ["a"], ["g"], "average"),
        helper.make_node("Flatten", ["g"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", *weights("hidden", 16, 8)], ["h"], "hidden", transB=1),
        helper.make_node("Sigmoid", ["h"], ["s"], "sigmoid"),
        helper.make_node("Gemm", ["s", *weights("scores", 6, 16)], ["scores"], "last", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 6])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model
