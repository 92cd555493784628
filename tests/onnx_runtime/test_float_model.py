"""ONNX Runtime executes quantized models as they are written."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import model, node, original_outputs, random

from mcuq.errors import ModelError
from mcuq.onnx_runtime.float_model import FloatModel


def test_two_quantizations_in_a_row_stay_two() -> None:
    """ONNX Runtime's optimizer (1.32) makes one of them that is neither."""
    nodes = [
        node("Relu", ["x"], "r"),
        node("QuantizeLinear", ["r", "s", "z"], "a"),
        node("DequantizeLinear", ["a", "s", "z"], "b"),
        node("QuantizeLinear", ["b", "t", "u"], "c"),
        node("DequantizeLinear", ["c", "t", "u"], "y"),
    ]
    constants = {"s": np.float32(0.0418), "z": np.int8(20), "t": np.float32(0.0176), "u": np.int8(-128)}
    proto = model(nodes, {"x": (1, 1000)}, constants=constants)
    sample = {"x": random(1, 1000, low=-6, high=6)}
    want = original_outputs(proto, sample)["y"]
    assert np.array_equal(FloatModel(proto).run(sample)["y"], want)
    assert np.array_equal(FloatModel(proto.SerializeToString()).run(sample)["y"], want)


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(ModelError, match=r"^ONNX Runtime cannot load the model: "):
        FloatModel(b"\x08\x07not a model")
