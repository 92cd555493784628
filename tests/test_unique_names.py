"""Layers are known by names of their own: what an ONNX file calls its nodes changes nothing of what is compiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import ints, model, node, random, saved
from quantized_models import dequantize, quantize
from selections import quick

from mcuq.boards.find import load_board
from mcuq.budget.sensitivity import measure_sensitivities
from mcuq.compile import QuantizedModel, calibration_samples, compile_quantized, quantize_model
from mcuq.diagnose.report import diagnose_model
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, verify
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.tanh import Tanh
from mcuq.quantize import LayerScheme, Recovery, Scheme

X = random(12, 4, 6, 6, seed=1, low=-2.0, high=2.0)
HOST = load_board("host")

Naming = Callable[[Sequence[onnx.NodeProto]], Sequence[str]]
NAMINGS: dict[str, Naming] = {
    "no names": lambda nodes: [""] * len(nodes),
    "one name": lambda nodes: ["k"] * len(nodes),
    "the output's name": lambda nodes: [n.output[0] for n in nodes],
    "the next node's output's name": lambda nodes: [n.output[0] for n in (*nodes[1:], nodes[0])],
    "the input's name": lambda nodes: [n.input[0] for n in nodes],
    "names that numbering would give": lambda nodes: ["k", *(f"k_{i}" for i in range(2, len(nodes))), "k"],
    "types": lambda nodes: [n.op_type.lower() for n in nodes],
}


def float_network() -> onnx.ModelProto:
    """A bit of everything that passes rewrite, split or wrap in layouts."""
    nodes = [
        node("BatchNormalization", ["x", "gamma", "beta", "mean", "variance"], "normal"),
        node("Conv", ["normal", "w0", "b0"], "c0", pads=[1] * 4),
        node("Relu", ["c0"], "r0"),
        node("Conv", ["r0", "w1"], "c1", pads=[1] * 4, group=4),
        node("Clip", ["c1", "zero", "six"], "r1"),
        node("Conv", ["r1", "w2"], "c2"),
        node("Add", ["c2", "r0"], "sum"),
        node("Sigmoid", ["sum"], "s0"),
        node("Tanh", ["s0"], "s1"),
        node("Mul", ["s1", "c2"], "gated"),
        node("MaxPool", ["gated"], "small", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", ["c2"], "mean_of_four", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["small", "mean_of_four"], "joined", axis=1),
        node("Conv", ["joined", "w3", "b3"], "c3"),
        node("Relu", ["c3"], "r3"),
        node("Conv", ["r3", "w4"], "c4"),
        node("Reshape", ["c4", "split"], "p0"),
        node("Transpose", ["p0"], "p1", perm=[0, 1, 4, 2, 5, 3]),
        node("Reshape", ["p1", "merged"], "shuffled"),
        node("Softmax", ["c3"], "classes", axis=1),
        node("Flatten", ["r3"], "flat"),
        node("Gemm", ["flat", "w5", "b5"], "y", transB=1),
    ]
    constants: dict[str, Array] = {
        "gamma": random(4, seed=2, low=0.5),
        "beta": random(4, seed=3),
        "mean": random(4, seed=4),
        "variance": random(4, seed=5, low=0.5),
        "w0": random(4, 4, 3, 3, seed=6) * np.array([1, 3, 0.3, 1], np.float32).reshape(4, 1, 1, 1),
        "b0": random(4, seed=7),
        "w1": random(4, 1, 3, 3, seed=8),
        "zero": np.float32(0),
        "six": np.float32(6),
        "w2": random(4, 4, 1, 1, seed=9),
        "w3": random(6, 8, 1, 1, seed=10),
        "b3": random(6, seed=11),
        "w4": random(8, 6, 1, 1, seed=12),
        "split": ints(1, 2, 2, 2, 3, 3),
        "merged": ints(1, 2, 6, 6),
        "w5": random(5, 54, seed=13),
        "b5": random(5, seed=14),
    }
    return model(nodes, {"x": (1, 4, 6, 6)}, ("y", "shuffled", "classes"), constants)


def quantized_network() -> onnx.ModelProto:
    """Convolutions between Q/DQ, one without, and integers that are moved."""
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w0", "w0r", "ws", "wz"),
        node("Conv", ["xr", "w0r"], "c0"),
        node("Relu", ["c0"], "r0"),
        quantize("r0", "q0"),
        node("MaxPool", ["q0"], "m0", kernel_shape=[2, 2], strides=[2, 2]),
        dequantize("m0", "d0"),
        node("Conv", ["d0", "w1"], "c1"),
        node("LeakyRelu", ["c1"], "r1", alpha=0.1),
        node("Conv", ["r1", "w1"], "y"),
    ]
    constants: dict[str, Array] = {
        "s": np.float32(0.05),
        "z": np.int8(-3),
        "w0": np.arange(-8, 8, dtype=np.int8).reshape(4, 4, 1, 1),
        "ws": np.float32(0.02),
        "wz": np.int8(0),
        "w1": random(4, 4, 1, 1, seed=9),
    }
    return model(nodes, {"x": (1, 4, 6, 6)}, ("y",), constants)


def renamed(proto: onnx.ModelProto, naming: Naming) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for n, name in zip(copy.graph.node, naming(copy.graph.node), strict=True):
        n.name = name
    return copy


def distinct(proto: onnx.ModelProto) -> onnx.ModelProto:
    return renamed(proto, lambda nodes: [f"node {i}" for i in range(len(nodes))])


def structure(graph: Graph) -> list[Any]:
    """All but names: operators, constants byte for byte, quantizations, and which node reads which."""
    place = {name: i for i, name in enumerate((*graph.inputs, *(n.output for n in graph.nodes)))}
    return [
        (
            layer.op,
            [t.values.tobytes() if t.is_constant else place[t.name] for t in layer.inputs],
            [(t.dtype, t.packing, t.quant) for t in (*layer.inputs, layer.output)],
        )
        for layer in graph.layers()
    ]


def compiled(proto: onnx.ModelProto, folder: Path, **options: Any) -> tuple[QuantizedModel, Any]:
    """The model, and all that its names should not change."""
    found = quantize_model(saved(proto, folder), **options)
    built = compile_quantized(found, HOST, "net")
    outputs = simulate(built.graph, quantize_inputs(built.graph, {"x": X[:, None]}))
    sizes = built.arena_bytes, built.constant_bytes
    return found, (structure(found.graph), structure(built.graph), [v.tobytes() for v in outputs.values()], sizes)


@pytest.mark.parametrize("naming", quick(NAMINGS, 2))
def test_names_of_nodes_change_nothing(naming: str, tmp_path: Path) -> None:
    proto = float_network()
    want_model, want = compiled(distinct(proto), tmp_path, calibration={"x": X})
    got_model, got = compiled(renamed(proto, NAMINGS[naming]), tmp_path, calibration={"x": X})
    assert got == want
    samples = calibration_samples(want_model.float_graph, {"x": X[:3]})
    wanted, found = (diagnose_model(m, HOST, samples) for m in (want_model, got_model))
    assert [(d.op, d.alone_db, d.impact_db) for d in found.layers] == [
        (d.op, d.alone_db, d.impact_db) for d in wanted.layers
    ]
    assert len({d.name for d in found.layers}) == len(found.layers)
    wanted_noise, noise = (
        [s.noise for s in measure_sensitivities(m.float_graph, list(samples))] for m in (want_model, got_model)
    )
    assert noise == wanted_noise


@pytest.mark.parametrize("naming", quick(["no names", "one name", "the next node's output's name"]))
@pytest.mark.parametrize("scheme", ["int16", "float32", "dynamic", "int4"])
def test_nor_do_they_in_other_schemes(scheme: str, naming: str, tmp_path: Path) -> None:
    proto = float_network()
    _, want = compiled(distinct(proto), tmp_path, calibration={"x": X}, scheme=scheme)
    assert compiled(renamed(proto, NAMINGS[naming]), tmp_path, calibration={"x": X}, scheme=scheme)[1] == want


@pytest.mark.parametrize("naming", quick(NAMINGS))
def test_nor_without_data_or_by_other_means_of_accuracy(naming: str, tmp_path: Path) -> None:
    proto = float_network()
    for options in ({}, {"calibration": {"x": X}, "recovery": Recovery("adaround", headroom=False)}):
        _, want = compiled(distinct(proto), tmp_path, **options)
        assert compiled(renamed(proto, NAMINGS[naming]), tmp_path, **options)[1] == want


@pytest.mark.parametrize("naming", NAMINGS)
def test_nor_in_a_model_that_came_quantized(naming: str, tmp_path: Path) -> None:
    proto = quantized_network()
    _, want = compiled(distinct(proto), tmp_path, calibration={"x": X})
    assert compiled(renamed(proto, NAMINGS[naming]), tmp_path, calibration={"x": X})[1] == want


def two_convolutions(first: str, second: str) -> onnx.ModelProto:
    nodes = [node("Conv", ["x", "w0"], "t", first), node("Conv", ["t", "w1"], "y", second)]
    return model(nodes, {"x": (1, 4, 6, 6)}, ("y",), {"w0": random(4, 4, 1, 1), "w1": random(4, 4, 1, 1, seed=1)})


def test_a_scheme_finds_all_layers_that_the_model_calls_by_one_name_and_says_so(tmp_path: Path) -> None:
    scheme = Scheme(layers={"k": LayerScheme("int4")})
    found = quantize_model(saved(two_convolutions("k", "k"), tmp_path), {"x": X}, scheme=scheme)
    assert [layer.inputs[1].packing for layer in found.graph.layers() if layer.op.macs(layer)] == ["int4", "int4"]
    assert found.origin.notes == (
        "2 layers are called 'k' in the model and take what the scheme says of it; their own names are 'k:t', 'k:y'",
    )


def test_a_scheme_finds_one_of_them_by_its_own_name(tmp_path: Path) -> None:
    scheme = Scheme(layers={"k:y": LayerScheme("int4")})
    found = quantize_model(saved(two_convolutions("k", "k"), tmp_path), {"x": X}, scheme=scheme)
    assert [layer.inputs[1].packing for layer in found.graph.layers() if layer.op.macs(layer)] == [None, "int4"]
    assert found.origin.notes == ()


def test_a_name_with_brackets_is_found_as_it_is(tmp_path: Path) -> None:
    scheme = Scheme(layers={"conv[1]": LayerScheme("int4")})
    found = quantize_model(saved(two_convolutions("conv[0]", "conv[1]"), tmp_path), {"x": X}, scheme=scheme)
    assert [layer.inputs[1].packing for layer in found.graph.layers() if layer.op.macs(layer)] == [None, "int4"]


def test_a_layer_that_became_several_is_found_by_the_name_that_it_had(tmp_path: Path) -> None:
    nodes = [node("Sigmoid", ["x"], "s"), node("Tanh", ["s"], "y", "act")]
    proto = model(nodes, {"x": (1, 4)}, ("y",))
    scheme = Scheme(layers={"act": LayerScheme("float32", "float32")})
    found = quantize_model(saved(proto, tmp_path), {"x": X[:, 0, 0, :4]}, scheme=scheme)
    assert [(n.name, n.source, t.dtype) for n in found.graph.nodes if (t := found.graph.tensors[n.output])] == [
        ("x.float32", "x.float32", "float32"),
        ("act", "act", "float32"),
        ("act_2", "act", "float32"),
    ]


def test_a_builder_gives_each_node_a_name_of_its_own() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (2, 3))
    a = builder.add(Sigmoid(), [x], "a", "k")
    b = builder.add(Tanh(), [a], "b", "k")
    c = builder.add(Sigmoid(), [b], "k")
    builder.outputs.append(c)
    again = GraphBuilder(builder.graph())
    again.remove(again.nodes["a"])
    again.add(Tanh(), [x], "a", "k")
    again.add(Sigmoid(), ["k"], "d", "k_2")
    again.outputs.append("d")
    assert [(n.name, n.source) for n in again.graph().nodes] == [
        ("k", "k"),
        ("k_2", "k"),
        ("k_3", "k_3"),
        ("k_2_2", "k"),
    ]


def test_two_nodes_of_one_name_are_refused() -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Tanh(), [builder.add(Sigmoid(), [builder.input("x", (2, 3))], "a")], "b"))
    graph = builder.graph()
    with pytest.raises(ModelError, match=re.escape("graph 'net': two nodes are called 'k'")):
        verify(replace(graph, nodes=tuple(replace(n, name="k") for n in graph.nodes)))
