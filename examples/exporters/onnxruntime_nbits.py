"""ONNX Runtime's MatMulNBits: weights of 4 bits in blocks, floats else; with zero points and without.

pip install onnxruntime==1.32.0 onnx-ir==1.1.0 onnx==1.23.2
python onnxruntime_nbits.py [FOLDER]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from common import run_onnx, samples, save
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

X = samples(32)
# Of each file, what is asked of the quantizer.
FORMS: dict[str, dict[str, Any]] = {
    "ort_nbits": {"block_size": 16, "is_symmetric": True},
    "ort_nbits_zero_points": {"block_size": 32, "is_symmetric": False},
}


def network() -> onnx.ModelProto:
    """(1, 32) to (1, 6) by three matrices."""
    rng = np.random.default_rng(0)
    shapes = ((32, 48), (48, 32), (32, 6))
    weights = [numpy_helper.from_array(rng.normal(0, 0.2, s).astype(np.float32), f"w{i}") for i, s in enumerate(shapes)]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "w1"], ["b"]),
        helper.make_node("Tanh", ["b"], ["t"]),
        helper.make_node("MatMul", ["t", "w2"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size]) for n, size in (("x", 32), ("y", 6)))
    graph = helper.make_graph(nodes, "net", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


if __name__ == "__main__":
    for name, asked in FORMS.items():
        quantizer = MatMulNBitsQuantizer(network(), **asked)
        quantizer.process()
        model = quantizer.model.model
        save(name, model, {"x": X}, run_onnx(model, {"x": X}))
