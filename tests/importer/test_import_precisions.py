"""Models of other precisions and of old opsets."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import check_import, imported, model, node, original_outputs, random

from mcuq.graph.ir import Graph
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel

X = {"x": (1, 3, 6, 5)}
KINDS = {np.float16: TensorProto.FLOAT16, np.float64: TensorProto.DOUBLE}


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    return FloatModel(write_onnx(graph)).run({"x": x})["y"]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 5e-3), (np.float64, 1e-6)])
def test_a_model_of_another_precision_is_computed_in_float32(dtype, tolerance):
    constants = {"w": random(4, 3, 3, 3).astype(dtype), "b": random(4).astype(dtype), "half": dtype(0.5)}
    nodes = [
        node("Conv", ["x", "w", "b"], "c", pads=[1, 1, 1, 1]),
        node("Mul", ["c", "half"], "h"),
        node("Relu", ["h"], "y"),
    ]
    if dtype is np.float64:  # ONNX Runtime has no Conv of it
        nodes = [node("MatMul", ["x", "m"], "c"), *nodes[1:]]
        constants = {"m": random(5, 7).astype(dtype), "half": dtype(0.5)}
    proto = model(nodes, X, {"y": KINDS[dtype]}, constants)
    proto.graph.input[0].type.tensor_type.elem_type = KINDS[dtype]
    x = random(1, 3, 6, 5, seed=1)
    want = original_outputs(proto, {"x": x.astype(dtype)})["y"].astype(np.float32)
    np.testing.assert_allclose(run(imported(proto), x), want, rtol=tolerance, atol=tolerance)


def test_what_is_cast_to_another_precision_inside_stays_in_float32():
    constants = {"w": random(5, 4).astype(np.float16)}
    nodes = [
        node("Cast", ["x"], "h", to=TensorProto.FLOAT16),
        node("MatMul", ["h", "w"], "m"),
        node("Cast", ["m"], "y", to=TensorProto.FLOAT),
    ]
    proto = model(nodes, X, constants=constants)
    x = random(1, 3, 6, 5, seed=1)
    want = original_outputs(proto, {"x": x})["y"]
    np.testing.assert_allclose(run(imported(proto), x), want, rtol=5e-3, atol=5e-3)


def test_weights_of_bfloat16_keep_their_values():
    w = random(5, 4).astype(ml_dtypes.bfloat16)
    nodes = [
        node("Cast", ["x"], "h", to=TensorProto.BFLOAT16),
        node("MatMul", ["h", "w"], "m"),
        node("Cast", ["m"], "y", to=TensorProto.FLOAT),
    ]
    x = random(1, 3, 6, 5, seed=1)
    got = run(imported(model(nodes, X, constants={"w": w})), x)
    np.testing.assert_allclose(got, x @ w.astype(np.float32), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [1, 2, 4, 5, 6])
def test_old_opsets_are_brought_to_the_oldest_that_is_read(opset):
    nodes = [
        node("Conv", ["x", "w", "b"], "c", kernel_shape=[3, 3]),
        node("Relu", ["c"], "r", **({"consumed_inputs": [0]} if opset < 6 else {})),
        node("MaxPool", ["r"], "p", kernel_shape=[2, 2], strides=[1, 1]),
        node("Softmax", ["p"], "y", axis=1),
    ]
    shape = {**X, "w": (4, 3, 3, 3), "b": (4,)}  # of IR version 3: weights are inputs too
    proto = model(nodes, shape, constants={"w": random(4, 3, 3, 3), "b": random(4)}, opset=opset, ir_version=3)
    newer = model(
        [node("Conv", ["x", "w", "b"], "c", kernel_shape=[3, 3]), node("Relu", ["c"], "r"), *nodes[2:]],
        X,
        constants={"w": random(4, 3, 3, 3), "b": random(4)},
        opset=7,
    )
    x = random(1, 3, 6, 5, seed=1)
    want = run(check_import(newer), x)
    np.testing.assert_allclose(run(imported(proto), x), want, rtol=1e-6, atol=1e-6)
