"""Models with ranges found at run time: weights are kept, ranges calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import imported, model, node, original_outputs, random, refusal, saved
from onnxruntime.quantization import QuantType, quantize_dynamic

from mcuq.compile import compile_model
from mcuq.importer import dynamic_layers
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.lstm import Lstm
from mcuq.passes import optimize
from mcuq.quantize import given_quantization, quantize_graph
from mcuq.quantize.calibrate import scaled_tensors

X = {"x": (1, 3, 6, 5)}


def float_network() -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "w", "b"], "c", "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], "r"),
        node("Flatten", ["r"], "f"),
        node("MatMul", ["f", "m"], "p", "matmul"),
        node("Add", ["p", "k"], "a"),
        node("Relu", ["a"], "s"),
        node("Gemm", ["s", "g", "h"], "y", "gemm", transB=1),
    ]
    constants = {
        "w": random(4, 3, 3, 3),
        "b": random(4),
        "m": random(120, 8),
        "k": random(8),
        "g": random(5, 8, seed=1),
        "h": random(5),
    }
    return model(nodes, X, constants=constants)


def dynamic(folder: Path, weight_type: QuantType, per_channel: bool = False) -> onnx.ModelProto:
    source, target = saved(float_network(), folder), folder / "dynamic.onnx"
    # Of 7 bits: ONNX Runtime's sums of larger products of bytes saturate on CPUs without VNNI.
    is_signed = weight_type == QuantType.QInt8
    quantize_dynamic(source, target, weight_type=weight_type, per_channel=per_channel, reduce_range=is_signed)
    return onnx.load(target)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("weight_type", [QuantType.QInt8, QuantType.QUInt8])
def test_float_meaning_is_that_of_the_quantized_weights(
    tmp_path: Path, weight_type: QuantType, per_channel: bool
) -> None:
    proto = dynamic(tmp_path, weight_type, per_channel)
    assert {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"} <= {n.op_type for n in proto.graph.node}
    graph = optimize(imported(proto))
    for seed in range(5):
        sample = {"x": random(1, 3, 6, 5, seed=seed)}
        want = original_outputs(proto, sample)["y"]
        got = FloatModel(write_onnx(graph)).run(sample)["y"]
        # ONNX Runtime rounds activations to 8 bits, three times.
        assert np.abs(got - want).max() <= 0.03 * np.abs(want).max()


def test_symmetric_weights_are_kept_and_layers_named(tmp_path: Path) -> None:
    proto = dynamic(tmp_path, QuantType.QInt8)
    assert len(dynamic_layers(proto)) == 3
    found = given_quantization(optimize(imported(proto)))
    assert len(found.weights) == 3
    assert not found.rounded
    assert not found.activations


def test_compile_says_that_ranges_are_those_of_the_data(tmp_path: Path) -> None:
    dynamic(tmp_path, QuantType.QInt8)
    compiled = compile_model(tmp_path / "dynamic.onnx", "host", random(20, 3, 6, 5))
    assert compiled.origin.ranges == "calibrated"
    assert compiled.origin.notes == (
        "'conv_quant', 'matmul_quant', 'gemm_MatMul_quant' ask for activation ranges found at run time: their weights "
        "are kept, their ranges are those of the calibration data",
    )


def test_fused_forms_are_the_same() -> None:
    w = np.random.default_rng(0).integers(-127, 128, (6, 4)).astype(np.int8)
    constants = {"w": w, "ws": np.float32(0.01), "wz": np.int8(0), "b": random(4)}
    texts = []
    for nodes in (
        [node("DynamicQuantizeMatMul", ["x", "w", "ws", "wz", "b"], "y", "layer", domain="com.microsoft")],
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("MatMulIntegerToFloat", ["q", "w", "s", "ws", "z", "wz", "b"], "y", "layer", domain="com.microsoft"),
        ],
    ):
        proto = model(nodes, {"x": (2, 6)}, constants=constants)
        proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        assert dynamic_layers(proto) == ("layer",)
        graph = optimize(imported(proto))
        want = random(2, 6) @ (w.astype(np.float32) * np.float32(0.01)) + constants["b"]
        got = FloatModel(write_onnx(graph)).run({"x": random(2, 6)})["y"]
        assert np.allclose(got, want, atol=1e-5)
        texts.append(graph.text())
    assert texts[0] == texts[1]


def test_dequantized_at_once_is_the_tensor_itself() -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("DequantizeLinear", ["q", "s", "z"], "d"),
        node("Tanh", ["d"], "y"),
    ]
    assert "Tanh(x)" in imported(model(nodes, X)).text()


@pytest.mark.parametrize(("per_channel", "directions"), [(False, 1), (True, 1), (False, 2), (True, 2)])
def test_an_lstm_keeps_its_integer_weights(tmp_path: Path, per_channel: bool, directions: int) -> None:
    rows, hidden = 32, 8
    constants = {
        "w": random(directions, rows, 7),
        "r": random(directions, rows, hidden),
        "b": random(directions, 2 * rows),
    }
    attributes = {"direction": "bidirectional"} if directions == 2 else {}
    layer = node("LSTM", ["x", "w", "r", "b"], ["y", "last"], "lstm", hidden_size=hidden, **attributes)
    source = saved(model([layer], {"x": (6, 2, 7)}, ["y", "last"], constants), tmp_path)
    target = tmp_path / "dynamic.onnx"
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=per_channel, reduce_range=True)
    proto = onnx.load(tmp_path / "dynamic.onnx")
    assert [n.op_type for n in proto.graph.node] == ["DynamicQuantizeLSTM"]
    assert dynamic_layers(proto) == (proto.graph.node[0].name,)
    float_graph = imported(proto)
    sample = {"x": random(6, 2, 7, seed=1)}
    want, got = original_outputs(proto, sample), FloatModel(write_onnx(float_graph)).run(sample)
    for name in ("y", "last"):
        assert np.abs(got[name].reshape(want[name].shape) - want[name]).max() <= 0.03
    graph = quantize_graph(float_graph, dict.fromkeys(scaled_tensors(float_graph), (-1.0, 1.0)))
    stored = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    found = [layer.inputs for layer in graph.layers() if isinstance(layer.op, Lstm)]
    assert len(found) == directions
    for d, inputs in enumerate(found):
        for t, name in zip(inputs[1:3], ("w_quantized", "r_quantized"), strict=True):
            whole = stored[name][d].T.astype(np.int16)
            if per_channel and directions == 2:  # rows of both share a scale there, and become finer here
                whole = np.rint(whole * (127 / np.abs(whole).max(axis=1, keepdims=True)))
            assert np.abs(t.values - whole).max() <= int(per_channel and directions == 2)


def test_an_lstm_of_computed_weights_is_refused() -> None:
    inputs = ["x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"]
    layer = helper.make_node("DynamicQuantizeLSTM", inputs, ["y"], "lstm", domain="com.microsoft", hidden_size=2)
    constants = {"r": np.zeros((1, 2, 8), np.int8), "b": random(1, 16)}
    constants |= {name: np.ones(1, np.float32) for name in ("ws", "rs")}
    constants |= {name: np.zeros(1, np.int8) for name in ("wz", "rz")}
    proto = model(
        [layer],
        {"x": (1, 1, 3), "w": (1, 3, 8)},
        constants=constants,
        kinds={"w": TensorProto.INT8},
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
    )
    assert "operators that are not supported: com.microsoft.DynamicQuantizeLSTM ('lstm')" in refusal(proto)
