"""Running integer graphs in NumPy: chunks, what is kept, and the model's edges."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from support import random_inputs, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, run_layers, simulate
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window

# The package gives out the function under the module's name.
module = importlib.import_module("mcuq.graph.simulate")


def small_network() -> Graph:
    """Two inputs, two outputs, a residual and a concatenation with a constant."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.normal(size=shape).astype(np.float32)

    builder = GraphBuilder("small")
    a, b = builder.input("a", (1, 6, 5, 3)), builder.input("b", (1, 6, 5, 4))
    weight, bias = builder.constant(normal(4, 3, 3, 3), "w"), builder.constant(normal(4), "bias")
    conv = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1))), [a, weight, bias], "conv")
    summed = builder.add(Add(), [conv, b], "sum")
    joined = builder.add(Concat(3), [summed, builder.constant(normal(1, 6, 5, 2), "extra")], "joined")
    pooled = builder.add(Mean((1, 2)), [joined], "pooled")
    flat = builder.add(Reshape((1, 6)), [pooled], "flat")
    fc = builder.add(FullyConnected(), [flat, builder.constant(normal(3, 6)), builder.constant(normal(3))], "fc")
    builder.add(Softmax(), [fc], "probabilities")
    builder.outputs += ["sum", "probabilities"]
    return with_ranges(builder.graph())


@pytest.mark.parametrize("workspace_bytes", [1, 4000, 9000, 64 * 2**20])
def test_samples_in_chunks_give_what_samples_one_by_one_give(
    monkeypatch: pytest.MonkeyPatch, workspace_bytes: int
) -> None:
    graph = small_network()
    inputs = random_inputs(graph, 13)
    alone = [run_layers(graph, {name: x[i : i + 1] for name, x in inputs.items()}) for i in range(13)]
    monkeypatch.setattr(module, "WORKSPACE_BYTES", workspace_bytes)
    together = simulate(graph, inputs)
    assert list(together) == ["sum", "probabilities"]
    for name, value in together.items():
        assert value.dtype == np.int8
        assert np.array_equal(value, np.concatenate([values[name] for values in alone]))


def test_chunks_keep_the_workspace_below_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_network()
    # The largest is an im2col of 30 windows of 27 values: 3240 bytes a sample.
    for workspace_bytes, chunk in [(3239, 1), (6479, 1), (6480, 2), (32400, 10)]:
        monkeypatch.setattr(module, "WORKSPACE_BYTES", workspace_bytes)
        sizes = []
        monkeypatch.setattr(
            module, "run_layers", lambda g, x, sizes=sizes: sizes.append(len(x["a"])) or run_layers(g, x)
        )
        simulate(graph, random_inputs(graph, 10))
        assert max(sizes) == chunk
        assert sum(sizes) == 10


def test_run_layers_drops_what_nobody_reads_any_more() -> None:
    graph = small_network()
    assert sorted(run_layers(graph, random_inputs(graph, 2))) == ["probabilities", "sum"]


def test_run_layers_keeps_every_tensor_when_asked() -> None:
    graph = small_network()
    inputs = random_inputs(graph, 2)
    values = run_layers(graph, inputs, keep_all=True)
    assert sorted(values) == sorted(name for name, t in graph.tensors.items() if not t.is_constant)
    dropped = run_layers(graph, inputs)
    for name, value in values.items():
        assert value.shape == (2, *graph.tensors[name].shape)
        assert value.dtype == np.int8
        if name in dropped:
            assert np.array_equal(value, dropped[name])


def test_running_layers_leaves_the_callers_inputs_alone() -> None:
    graph = small_network()
    inputs = random_inputs(graph, 2)
    before = {name: x.copy() for name, x in inputs.items()}
    run_layers(graph, inputs)
    assert sorted(inputs) == ["a", "b"]
    assert all(np.array_equal(x, before[name]) for name, x in inputs.items())


def test_inputs_are_quantized_with_their_own_scale_by_rounding_halves_up_and_saturating() -> None:
    graph = small_network()
    a, b = graph.tensors["a"].quantization, graph.tensors["b"].quantization
    assert a != b
    steps = np.array([-1000, -128, -1.5, -0.5, 0, 0.5, 1.5, 127, 1000])
    wanted = np.array([-1000, -128, -1, 0, 0, 1, 2, 127, 1000])
    for leading in ((), (1,), (4, 2)):
        real = {n: np.broadcast_to(steps * graph.tensors[n].scale, (*leading, 9)) for n in ("a", "b")}
        q = quantize_inputs(graph, real)
        for name, quant in (("a", a), ("b", b)):
            assert q[name].dtype == np.int8
            want = np.clip(wanted + quant.zero_point, -128, 127)
            assert np.array_equal(q[name], np.broadcast_to(want, (*leading, 9)))


def test_outputs_are_scale_times_distance_from_the_zero_point() -> None:
    graph = small_network()
    real = dequantize_outputs(graph, {"probabilities": np.array([-128, -127, 0, 127], np.int8)})
    assert real["probabilities"].dtype == np.float32
    assert real["probabilities"].tolist() == [0, 1 / 256, 128 / 256, 255 / 256]
