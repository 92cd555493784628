"""TopK: C against the simulator, the simulator against float: values, ties, all of a dimension and one of it."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, ints, model, node, refusal
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.ops.top_k import TopK
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
CASES: list[Case] = [
    (TopK(axis, k, largest), [shape])
    for shape, axis, k in (((1, 10), 1, 3), ((7,), 0, 7), ((2, 5, 3), 1, 2), ((4, 3), 0, 1), ((1, 200), 1, 5))
    for largest in (True, False)
]
OF_INTEGERS: list[Case] = [(TopK(1, 3), [Whole((2, 9), -300, 70_000)])]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*CASES, *OF_INTEGERS]), on)
    check_portable_c(integer_branches(CASES, scheme=INT16), on)
    check_floats(float_layers([*CASES, *OF_INTEGERS]), on)


def test_simulator_chooses_as_the_float_meaning() -> None:
    for seed in range(3):
        check_float(integer_branches([*CASES, *OF_INTEGERS], seed), 0.0, samples=10)


@pytest.mark.parametrize("largest", [True, False])
def test_equal_values_keep_their_order(largest: bool) -> None:
    graph = integer_graph(TopK(1, 20, largest), [(3, 20)])
    x = random_inputs(graph, 6)
    x["x0"] //= 40
    want = np.argsort(-x["x0"].astype(int) if largest else x["x0"], axis=-1, kind="stable")
    assert np.array_equal(simulate(graph, x)["y"], want)


def test_import() -> None:
    for opset in (7, 10, 11, 17):
        k = {"k": 2} if opset < 10 else {}
        inputs = ["x"] if opset < 10 else ["x", "k"]
        layers = [node("TopK", inputs, ["a", "b"], axis=1, **k), node("TopK", inputs, ["unread", "c"], axis=2, **k)]
        layers.append(node("TopK", inputs, ["d", "unread_too"], **k))
        if opset > 10:
            layers.append(node("TopK", inputs, ["e", "f"], axis=0, largest=0, sorted=1))
        outputs = {n: TensorProto.FLOAT if n in "ade" else TensorProto.INT64 for n in "abcdef"}
        made = {n for layer in layers for n in layer.output}
        outputs = {name: kind for name, kind in outputs.items() if name in made}
        check_import(model(layers, {"x": (2, 4, 5)}, outputs, {"k": ints(2)}, opset=opset))


def test_more_than_there_are() -> None:
    proto = model([node("TopK", ["x", "k"], ["y", "i"], "best")], {"x": (2, 4)}, constants={"k": ints(5)})
    assert refusal(proto) == "TopK 'best': k=5 must be from 1 to 4, which dimension 1 has"
    proto = model([node("TopK", ["x", "k"], ["y", "i"], "best")], {"x": (2, 4), "k": (1,)}, kinds={"k": 7})
    assert refusal(proto) == "TopK 'best': k must be a constant; export the model with fixed weights and shapes"
