"""Small networks around an operator that a test alone defines, and what every stage is held to on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from support import model_of, random_inputs, run_float

from mcuq.emit.qdq_export import export_qdq
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window
from mcuq.quantize import INT8_SCHEME, Recovery, Scheme, insert_conversions, prune_graph, quantize_on_samples
from mcuq.quantize.level import level
from mcuq.quantize.prune import Pruned
from mcuq.quantize.seen import see
from mcuq.validate import check_bits

Samples = Sequence[dict[str, Array]]


def pointwise(builder: GraphBuilder, x: str, weight: Array, name: str, spread: Array | float = 1.0) -> str:
    """A 1x1 convolution; biases are 0.2, normal, times `spread`."""
    bias = np.random.default_rng(list(name.encode())).normal(0, 0.2, len(weight)) * spread
    constants = [builder.constant(a.astype(np.float32)) for a in (weight, bias)]
    return builder.add(Conv2d(Window((1, 1))), [x, *constants], name=name)


def uneven(channels: int, ratio: float) -> Array:
    """Factors of channels, of which every third is `ratio` times smaller."""
    return np.where(np.arange(channels) % 3 == 1, 1 / ratio, 1.0)


def samples(*shape: int, count: int = 32, seed: int = 4) -> Samples:
    """Of the input x, normal."""
    rng = np.random.default_rng(seed)
    return [{"x": rng.normal(0, 1, shape).astype(np.float32)} for _ in range(count)]


def stacked(data: Samples) -> dict[str, Array]:
    return {"x": np.stack([sample["x"] for sample in data])}


def leveled(graph: Graph, data: Samples) -> Graph:
    """The graph with its channels evened out."""
    seen = see(graph, data)
    return level(graph, seen, dict.fromkeys(seen, 255.0))[0]


def check_same(before: Graph, after: Graph, data: Samples, tolerance: float = 1e-4) -> None:
    """Assert that two graphs of floats give the same but for the order of sums."""
    wanted, got = (run_float(write_onnx(graph), stacked(data))["y"] for graph in (before, after))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=tolerance)


@dataclass(frozen=True)
class Stages:
    """What a network has become."""

    integer: Graph
    outputs: Array
    pruned: Graph
    saved: Pruned
    exported: onnx.ModelProto


def check_stages(
    graph: Graph, data: Samples, others: Samples, scheme: Scheme = INT8_SCHEME, recovery: Recovery | None = None
) -> Stages:
    """Quantize an optimized graph on `data`, and assert of `others` that 30 dB are left, that pruning changes nothing,
    that ONNX Runtime gives the same of the export, and that C does: of integers both extremes, of floats `others`."""
    graph, x = insert_conversions(graph, scheme), stacked(others)
    integer = quantize_on_samples(graph, data, scheme=scheme, recovery=recovery or Recovery()).graph
    codes = quantize_inputs(integer, x)
    ours, wanted = dequantize_outputs(integer, simulate(integer, codes))["y"], run_float(write_onnx(graph), x)["y"]
    assert (wanted**2).sum() > 1000 * ((wanted - ours) ** 2).sum()

    pruned, saved = prune_graph(integer)
    assert np.array_equal(dequantize_outputs(pruned, simulate(pruned, codes))["y"], ours)

    exported = export_qdq(pruned)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # else sums saturate on CPUs without VNNI
    session = onnxruntime.InferenceSession(exported.SerializeToString(), options, ["CPUExecutionProvider"])
    theirs = np.stack([session.run(["y"], sample)[0] for sample in others])
    quant = pruned.tensors["y"].quant
    # A tie may be rounded otherwise, and a step grow behind.
    assert (np.abs(theirs - ours) > (0.5 * quant.step if quant else 1e-3)).mean() < 0.01
    inputs = codes if quant is None else random_inputs(pruned, samples=6)
    report = check_bits(model_of(pruned), iter([inputs]), "host")
    assert report.bit_exact, report.first_mismatch
    return Stages(integer, ours, pruned, saved, exported)
