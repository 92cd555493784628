"""16 bits where ONNX has none yet: files of tf2onnx, which no runtime takes as they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import imported, model, node, original_outputs, refusal
from quantized_models import dequantize, quantize, scale_of

from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme, given_quantization, quantize_graph

S, T, W = 0.0002, 0.0007, 0.0103


def layer(opset: int, bias: np.ndarray, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """Q, DQ, MatMul and Add of a bias, Q, DQ; its input and output may be integers themselves."""
    is_real = kind == TensorProto.FLOAT
    nodes = [
        *([quantize("x", "xq")] if is_real else []),
        dequantize("xq" if is_real else "x", "xr"),
        dequantize("w", "wr", "ws", "wz"),
        node("MatMul", ["xr", "wr"], "m"),
        dequantize("b", "br", "bs", "bz", axis=0),
        node("Add", ["m", "br"], "a"),
        quantize("a", "aq" if is_real else "y", "t", "u"),
        *([dequantize("aq", "y", "t", "u")] if is_real else []),
    ]
    constants = {
        "s": scale_of(S),
        "z": np.int16(0),
        "t": scale_of(T),
        "u": np.int16(0),
        "w": np.int8([[1, -127], [90, 40], [-3, 77]]),
        "ws": scale_of(W),
        "wz": np.int8(0),
        "b": bias,
        "bs": np.full(2, S * W, np.float32),
        "bz": np.zeros(2, bias.dtype),
    }
    return model(nodes, {"x": (4, 3)}, {"y": kind}, constants, opset, {"x": kind})


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.INT16])
def test_they_are_those_of_a_later_opset(kind: int) -> None:
    """In integers the same as what ONNX Runtime computes of the file that states them as opset 21 does."""
    bias = np.array([70000, -123])
    x = np.random.default_rng(0).uniform(-6, 6, (4, 3)).astype(np.float32)
    graph = optimize(imported(layer(17, bias.astype(np.int64), kind)))
    given = given_quantization(graph)
    assert given.is_quantized and not given.calibrated and len(given.weights) == 1
    whole = quantize_graph(graph, {}, Scheme(NAMED["int16"]))
    found = simulate(whole, quantize_inputs(whole, {"x": x[np.newaxis]}))["y"][0].astype(int)
    wanted = original_outputs(layer(21, bias.astype(np.int32)), {"x": x})["y"]
    assert np.abs(found - np.rint(wanted / T)).max() <= 1
    assert np.abs(wanted / T).max() > 2000


def test_a_bias_that_32_bits_do_not_hold_is_refused() -> None:
    assert refusal(layer(17, np.array([2**40, 1]))) == (
        "DequantizeLinear 'dequantize b': reads a constant of type int64; supported are int8, uint8, int16, uint16 and "
        "int32"
    )
