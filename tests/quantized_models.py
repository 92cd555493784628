"""Pieces of quantized ONNX models, and checks of how they are imported."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx_models import imported, node, original_outputs

from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.passes import optimize
from mcuq.quantize import quantize_graph


def scale_of(value: float) -> Array:
    """A scale as ONNX holds it."""
    return np.array(value, np.float32)


def quantize(x: str, q: str, scale: str = "s", zero_point: str = "z", **attributes: int) -> onnx.NodeProto:
    return node("QuantizeLinear", [x, scale, zero_point], q, f"quantize {q}", **attributes)


def dequantize(q: str, x: str, scale: str = "s", zero_point: str = "z", **attributes: int) -> onnx.NodeProto:
    return node("DequantizeLinear", [q, scale, zero_point], x, f"dequantize {q}", **attributes)


def quantized(proto: onnx.ModelProto) -> Graph:
    """The int8 graph of a model that gives all scales."""
    return quantize_graph(optimize(imported(proto)), {})


def check_steps(proto: onnx.ModelProto, samples: int = 20, most: int = 1, share: float = 0.999) -> Graph:
    """Assert that the int8 graph gives what ONNX Runtime gives for the model, within `most` steps and equal in `share`
    of the values; returns the graph."""
    graph = quantized(proto)
    rng = np.random.default_rng(0)
    inputs = {n: rng.normal(0, 1, (samples, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    wanted = [
        _reals(original_outputs(proto, _as_fed(proto, {n: x[i] for n, x in inputs.items()}))) for i in range(samples)
    ]
    got = simulate(graph, quantize_inputs(graph, inputs))
    for name in graph.outputs:
        quant = graph.tensors[name].quantization
        want = np.stack([sample[name] for sample in wanted])
        if np.issubdtype(want.dtype, np.integer):
            q = want.astype(int) - (128 if want.dtype == np.uint8 else 0)
        else:
            q = np.asarray(quant.quantize(want), int)
        off = np.abs(got[name] - q)
        assert off.max() <= most, f"{name}: {off.max()} steps\n{graph.text()}"
        assert (off == 0).mean() >= share, f"{name}: {(off == 0).mean()} equal\n{graph.text()}"
    return graph


def _as_fed(proto: onnx.ModelProto, sample: Mapping[str, Array]) -> dict[str, Array]:
    """Integers where the model's input is integers: scale `s` and zero point `z` of the file."""
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    fed = dict(sample)
    for value in proto.graph.input:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            q = np.floor(sample[value.name].astype(np.float64) / stored["s"] + stored["z"] + 0.5)
            fed[value.name] = np.clip(q, limits.min, limits.max).astype(dtype)
    return fed


def _reals(outputs: Mapping[str, Array]) -> dict[str, Array]:
    return dict(outputs)
