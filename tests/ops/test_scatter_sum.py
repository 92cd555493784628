"""ScatterSum: C against the simulator, the simulator against float; ScatterElements and ScatterND that reduce."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, model, node, original_outputs, random
from support import Case, Whole, check_float, check_portable_c, integer_branches

from mcuq.compile import quantize_model
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.passes import optimize
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def cases() -> list[Case]:
    """More updates than places, none at some, and indices from the back."""
    rng = np.random.default_rng(0)
    return [
        (ScatterSum(0, 3), [(20, 2), Whole((20, 2), -3, 2)]),
        (ScatterSum(1, 9), [(2, 4, 3), Whole((2, 4, 3), -9, 5)]),
        (ScatterSum(2, 2), [(1, 3, 7), rng.integers(-2, 2, (1, 3, 7))]),
        (ScatterSum(1, 5), [rng.normal(size=(2, 6)), Whole((2, 6), 0, 4)]),
    ]


OF_INTEGERS: list[Case] = [(ScatterSum(0, 3), [Whole((6, 2), -300, 200), Whole((6, 2), -3, 2)])]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*cases(), *OF_INTEGERS]), on)
    check_portable_c(integer_branches(cases(), scheme=INT16), on)
    check_floats(float_layers(cases()), on)


def test_simulator_rounds_the_sums_once() -> None:
    for seed in range(3):
        check_float(integer_branches(cases(), seed), 0.501)
        check_float(integer_branches(cases(), seed, scheme=INT16), 0.501)
        check_float(integer_branches(OF_INTEGERS, seed), 0.0)


def test_import() -> None:
    layers = [
        node("ScatterElements", ["x", "i", "u"], "a", axis=1, reduction="add"),
        node("ScatterElements", ["zeros", "i", "u"], "b", axis=0, reduction="add"),
        node("ScatterElements", ["x", "i", "u"], "c", axis=1, reduction="min"),
        node("ScatterElements", ["x", "i", "u"], "d", axis=0, reduction="max"),
        node("ScatterND", ["x", "pairs", "v"], "e", reduction="add"),
        node("ScatterND", ["x", "rows", "w"], "f", reduction="max"),
        node("ScatterElements", ["n", "i", "i"], "g", axis=1, reduction="add"),
    ]
    outputs = {**dict.fromkeys("abcdef", TensorProto.FLOAT), "g": TensorProto.INT64}
    rng = np.random.default_rng(2)
    constants = {
        "zeros": np.zeros((3, 4), np.float32),
        "i": rng.integers(-3, 3, (3, 4)),
        "pairs": rng.integers(0, 3, (9, 2)),
        "rows": np.array([[0], [2], [0], [-1]]),
        "w": random(4, 4),
    }
    shapes = {"x": (3, 4), "u": (3, 4), "v": (9,), "n": (3, 4)}
    check_import(model(layers, shapes, outputs, constants, opset=18, kinds={"n": TensorProto.INT64}))


def test_products() -> None:
    """Of computed and constant indices, which meet and do not, and of integers."""
    layers = [
        node("ScatterElements", ["x", "i", "u"], "a", axis=1, reduction="mul"),
        node("ScatterElements", ["x", "k", "u"], "b", axis=0, reduction="mul"),
        node("ScatterElements", ["x", "k", "fixed"], "c", axis=0, reduction="mul"),
        node("ScatterElements", ["fixed", "k", "u"], "d", axis=1, reduction="mul"),
        node("ScatterND", ["x", "rows", "w"], "e", reduction="mul"),
        node("ScatterND", ["x", "again", "w"], "f", reduction="mul"),
        node("ScatterElements", ["n", "k", "i"], "g", axis=1, reduction="mul"),
    ]
    outputs = {**dict.fromkeys("abcdef", TensorProto.FLOAT), "g": TensorProto.INT64}
    rng = np.random.default_rng(3)
    constants = {"k": rng.integers(-3, 3, (3, 4)), "again": np.array([[0], [2], [0]]), "fixed": random(3, 4)}
    kinds = dict.fromkeys(("n", "i", "rows"), TensorProto.INT64)
    shapes = {"x": (3, 4), "u": (3, 4), "i": (3, 4), "n": (3, 4), "rows": (3, 1), "w": (3, 4)}
    proto = model(layers, shapes, outputs, constants, opset=18, kinds=kinds)
    sample = {name: random(*shapes[name], seed=j) for j, name in enumerate("xuw")}
    sample |= {"i": rng.integers(-3, 3, (3, 4)), "n": rng.integers(-9, 9, (3, 4)), "rows": np.array([[1], [-2], [1]])}
    want = original_outputs(proto, sample)
    for graph in (imported(proto), optimize(imported(proto))):
        got = FloatModel(write_onnx(graph)).run(sample)
        for name, values in want.items():
            np.testing.assert_allclose(got[name], values, rtol=1e-6, err_msg=name)
    graph = quantize_model(proto, {name: values[None] for name, values in sample.items()}).graph
    got = simulate(graph, quantize_inputs(graph, {name: values[None] for name, values in sample.items()}))
    for name, values in dequantize_outputs(graph, got).items():
        step = graph.tensors[name].scale
        assert np.abs(values[0] - want[name]).max() <= (0 if name == "g" else 5 * step), name
    check_portable_c(graph, "host")
