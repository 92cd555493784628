"""ScatterElements: C against the simulator, the simulator against float; ScatterND, elements by flat indices."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import imported, model, node, original_outputs, random, refusal
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph, with_ranges

from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.passes import optimize
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        (ScatterElements(0), [(5, 3), Whole((2, 3), -5, 4), (2, 3)]),
        (ScatterElements(1), [(2, 6, 3), Whole((2, 4, 3), -6, 5), rng.normal(size=(2, 4, 3))]),
        (ScatterElements(1), [rng.normal(size=(2, 300)), Whole((2, 2), -300, 299), (2, 2)]),
        (ScatterElements(1, "min"), [(2, 3, 2), Whole((2, 9, 2), -3, 2), (2, 9, 2)]),
        (ScatterElements(0, "max"), [rng.normal(size=(4, 3)), Whole((7, 3), 0, 3), (7, 3)]),
        (ScatterElements(2), [(2, 3, 4), rng.integers(-4, 4, (2, 3, 2)), (2, 3, 2)]),
        (ScatterElements(0), [np.arange(9), Whole((2,), 0, 8), Whole((2,), -300, 0)]),
    ]


REAL = cases()[:-1]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(REAL), on)
    check_portable_c(integer_branches(REAL, scheme=INT16), on)
    check_floats(float_layers(REAL), on)


def test_simulator_gives_the_elements_of_the_float_meaning() -> None:
    for seed in range(3):
        check_float(integer_branches(REAL, seed), 0.0)
        check_float(integer_branches(REAL, seed, scheme=INT16), 0.0)


def test_the_last_of_several_at_one_place_stays() -> None:
    graph = integer_graph(ScatterElements(0), [Whole((3,), 0, 9), Whole((4,), -9, 9), Whole((4,), 0, 9)])
    x = [np.array([values], np.int8) for values in ([5, 5, 5], [2, -3, -9, 9], [1, 2, 3, 4])]
    assert simulate(graph, {f"x{i}": values for i, values in enumerate(x)})["y"].tolist() == [[3, 5, 4]]


def test_import() -> None:
    layers = [
        node("ScatterElements", ["x", "i", "u"], "a", axis=1),
        node("ScatterElements", ["fixed", "i", "u"], "b", axis=0),
        node("ScatterND", ["x", "pairs", "v"], "c"),
        node("ScatterND", ["x", "i", "rows"], "d"),
        node("ScatterND", ["x", "constant", "v"], "e"),
        node("ScatterElements", ["n", "i", "i"], "f", axis=1),
    ]
    outputs = {**dict.fromkeys("abcde", TensorProto.FLOAT), "f": TensorProto.INT64}
    constants = {"fixed": random(3, 1), "constant": np.array([[0, -1], [1, 2], [0, 0]])}
    shapes = {"x": (2, 4), "i": (2, 1), "u": (2, 1), "pairs": (3, 2), "v": (3,), "rows": (2, 4), "n": (2, 4)}
    proto = model(layers, shapes, outputs, constants, kinds=dict.fromkeys(("i", "pairs", "n"), TensorProto.INT64))
    sample = {name: random(*shape) for name, shape in shapes.items()}
    sample |= {
        "i": np.array([[0], [-1]]),
        "pairs": np.array([[0, 1], [1, -4], [-1, 3]]),
        "n": np.arange(8).reshape(2, 4) * 100,
    }
    want = original_outputs(proto, sample)
    for graph in (imported(proto), optimize(imported(proto))):
        got = FloatModel(write_onnx(graph)).run(sample)
        for name, values in want.items():
            assert np.array_equal(got[name], values.astype(np.float32)), name


@pytest.mark.parametrize("data", [True, False], ids=["data", "updates"])
def test_rows_at_constant_places(data: bool) -> None:
    # Either of the two others is constant too.
    constants = {"i": np.array([[2], [-3]]), ("u" if data else "x"): random(2 if data else 3, 2, 2)}
    shapes = {"x": (3, 2, 2)} if data else {"u": (2, 2, 2)}
    graph = imported(model([node("ScatterND", ["x", "i", "u"], "y")], shapes, constants=constants))
    check_float(with_ranges(graph), 0.5)
    check_portable_c(with_ranges(graph), "host")


def test_what_is_not_supported() -> None:
    shapes = {"x": (2, 3), "i": (1, 3), "u": (1, 3)}
    layers = [node("ScatterElements", ["x", "i", "u"], "y", "put", reduction="most")]
    proto = model(layers, shapes, kinds={"i": 7}, opset=18)
    assert refusal(proto) == "ScatterElements 'put': reduction=most is not supported; use none, add, mul, min or max"
    layers = [node("ScatterElements", ["x", "i", "u"], "y", "put", reduction="mul")]
    proto = model(layers, {"x": (2, 3), "i": (17, 3), "u": (17, 3)}, kinds={"i": 7}, opset=18)
    assert refusal(proto) == (
        "ScatterElements 'put': reduction=mul has updates that may meet 17 times; supported are 16, each a layer; use "
        "constant indices, each of them once"
    )
    proto = model([node("ScatterElements", ["x", "i", "i"], "y", "put")], shapes, kinds={"i": 7})
    assert "puts real values among integers, or integers among those; Cast one of them" in refusal(proto)
    proto = model([node("ScatterElements", ["x", "i", "u"], "y", "put")], {**shapes, "u": (1, 2)}, kinds={"i": 7})
    assert refusal(proto) == (
        "ScatterElements 'put': indices of shape [1, 3] and updates of shape [1, 2] do not fit data of shape [2, 3]"
    )
