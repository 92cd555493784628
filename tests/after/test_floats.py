"""Real values to codes and back: against ONNX Runtime, and the C against its twin."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from behind import Case, bound, check, graph_of, tensor
from front_end_c import CPUS
from onnx import TensorProto, helper

from mcuq.after.floats import dequantize, quantize
from mcuq.graph.tensor import Tensor

TENSORS = (
    tensor("x", (1,), 0.05, -3),
    tensor("x", (1,), 1 / 255, 0, "uint8"),
    tensor("x", (1,), 0.25, 128, "uint8"),
    tensor("x", (1,), 3e-5, 0, "int16"),
    tensor("x", (1,), 2.0, 127),
    tensor("x", (1,), 0.5, -32768, "int16"),
)
ONNX = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16}


def reals(t: Tensor) -> np.ndarray:
    """Halves between all near codes, both ends, beyond them, infinities and noise."""
    info, rng = np.iinfo(t.dtype), np.random.default_rng(0)
    codes = np.concatenate([np.arange(-20, 20), [info.min, info.min + 1, info.max - 1, info.max, info.max + 9]])
    halves = np.add.outer(codes - t.zero_point, [-0.5, -0.25, 0, 0.5]).reshape(-1) * t.scale
    wide = [0.0, -0.0, 1e30, -1e30, np.inf, -np.inf, 1e-40]
    return np.concatenate([halves, wide, rng.normal(0, t.scale * 99, 100)]).astype(np.float32)


def onnx_runtime(operator: str, t: Tensor, values: np.ndarray, to: int) -> np.ndarray:
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [t.scale])
    zero_point = helper.make_tensor("z", ONNX[t.dtype], [], [t.zero_point])
    given = TensorProto.FLOAT if values.dtype == np.float32 else ONNX[t.dtype]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "s", "z"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", given, values.shape)],
        [helper.make_tensor_value_info("y", to, values.shape)],
        [scale, zero_point],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": values})
    return np.asarray(found)


@pytest.mark.parametrize("t", TENSORS, ids=lambda t: f"{t.dtype}-{t.scale:g}")
def test_codes_and_real_values_are_those_of_onnx(t: Tensor) -> None:
    values = reals(t)
    codes = quantize(values, t)
    assert codes.tolist() == onnx_runtime("QuantizeLinear", t, values, ONNX[t.dtype]).tolist()
    info = np.iinfo(t.dtype)
    every = np.arange(info.min, info.max + 1, dtype=t.dtype)
    assert dequantize(every, t).tobytes() == onnx_runtime("DequantizeLinear", t, every, TensorProto.FLOAT).tobytes()
    assert quantize(np.array([np.nan], np.float32), t).tolist() == [t.zero_point]


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_codes_and_floats_of_its_twin(cpu: str) -> None:
    cases = []
    for t in TENSORS:
        values = np.concatenate([reals(t), np.array([np.nan], np.float32)])
        codes = quantize(values, t)
        graph = graph_of([tensor("y", (1,), 1)], [t])
        twin = bound('kind = "floats"', graph)
        call = f"""
    {t.dtype}_t codes[{len(values)}];
    float real[{len(values)}];
    id_quantize_x((const float *)(const void *)in, codes, {len(values)});
    id_dequantize_x(codes, real, {len(values)});
    for (size_t i = 0; i < sizeof codes; i++)
        *out++ = ((const int8_t *)(const void *)codes)[i];
    for (size_t i = 0; i < sizeof real; i++)
        *out++ = ((const int8_t *)(const void *)real)[i];
"""
        cases.append(Case(twin, graph, call, [values.tobytes()], [codes.tobytes() + dequantize(codes, t).tobytes()]))
    check(cpu, cases)
