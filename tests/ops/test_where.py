"""Where: C against the simulator, the simulator against float; each of the three constant, and every broadcast."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import FLOAT, check_floats, float_layers, with_scheme
from onnx import TensorProto
from onnx_models import check_import, ints, model, node, refusal
from support import Case, Whole, check_float, check_portable_c, float_branches, integer_branches, integer_graph

from mcuq.graph.simulate import simulate
from mcuq.ops.where import Where
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    mask = (np.arange(12).reshape(1, 3, 4) % 3 > 0).astype(np.int64)
    return [
        (Where(), [Whole((5,), 0, 1), (5,), (5,)]),
        (Where(), [Whole((), 0, 1), (), ()]),
        (Where(), [Whole((2, 1, 4), 0, 1), (1, 3, 4), (2, 3, 1)]),
        (Where(), [Whole((2, 3, 4), 0, 1), rng.normal(size=(1, 1, 4)), (2, 3, 4)]),
        (Where(), [Whole((2, 3, 1), -2, 300), (2, 3, 4), np.zeros((1, 1, 1))]),
        (Where(), [Whole((2, 1), 0, 1), rng.normal(size=(1, 1)), rng.normal(size=(1, 5))]),
        (Where(), [mask, (2, 3, 4), (2, 1, 4)]),
        (Where(), [mask, (1, 3, 4), np.zeros((1, 1, 1))]),
        (Where(), [Whole((3, 4), 0, 1), Whole((3, 4), -5, 5), Whole((1, 4), 0, 300)]),
        (Where(), [Whole((3, 4), 0, 1), Whole((3, 1), -5, 5), np.array([[70_000, 1, 2, 3]])]),
    ]


REAL = cases()[:-2]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(REAL), on)
    check_portable_c(integer_branches(REAL, scheme=INT16), on)
    check_floats(float_layers(cases()), on)


def test_simulator_chooses_as_the_float_meaning() -> None:
    for seed in range(4):
        check_float(integer_branches(REAL, seed), 0.0)
        check_float(integer_branches(REAL, seed, scheme=INT16), 0.0)


def test_all_that_is_chosen_from_has_one_scale() -> None:
    graph = integer_graph(Where(), [Whole((2,), 0, 1), (2,), np.array([-3.0, 5.0])], {"x1": (-1, 1)})
    scales = {name: graph.tensors[name].quant for name in ("x1", "c2", "y")}
    assert len(set(scales.values())) == 1
    assert graph.tensors["y"].quantization.real_bounds == pytest.approx((-3, 5), abs=0.04)
    assert graph.tensors["x0"].integers is not None


def test_integers_of_two_ranges_meet_in_one_type() -> None:
    graph = with_scheme(float_branches([cases()[-2]]), FLOAT)
    assert [type(node.op).__name__ for node in graph.nodes] == ["Convert", "Where"]
    assert graph.tensors["y0"].dtype == "int16"
    x = {
        "x0_0": np.ones((1, 3, 4), np.int8),
        "x0_1": np.full((1, 3, 4), -5, np.int8),
        "x0_2": np.zeros((1, 1, 4), np.int16),
    }
    assert simulate(graph, x)["y0"].tolist() == np.full((1, 3, 4), -5).tolist()


def test_import() -> None:
    layers = [
        node("Greater", ["x", "z"], "c"),
        node("Where", ["c", "x", "z"], "a"),
        node("Where", ["fixed", "x", "number"], "b"),
        node("Where", ["c", "number", "x"], "d"),
        node("Where", ["c", "n", "seven"], "e"),
        node("Where", ["mask", "x", "z"], "f"),
        node("Trilu", ["square"], "g"),
        node("Trilu", ["square", "k"], "h", upper=0),
        node("Trilu", ["n", "k"], "i"),
        node("OneHot", ["n", "depth", "onoff"], "j"),
        node("OneHot", ["row", "depth", "labels"], "l", axis=0),
        node("Hardmax", ["square"], "m", axis=1),
    ]
    kinds = {"n": TensorProto.INT64, "mask": TensorProto.BOOL, "row": TensorProto.INT64}
    integers = ("e", "i", "l")
    outputs = {y: TensorProto.INT64 if y in integers else TensorProto.FLOAT for y in "abdefghijlm"}
    constants = {
        "number": np.float32(0.25),
        "fixed": np.array([[True, False, True]]),
        "seven": np.int64(7),
        "k": np.int64(1),
        "depth": np.int64(3),
        "onoff": np.float32([-0.5, 2]),
        "labels": ints(5, 9),
    }
    shapes = {"x": (2, 3), "z": (3,), "n": (2, 3), "mask": (2, 1), "square": (2, 3, 3), "row": (2,)}
    check_import(model(layers, shapes, outputs, constants, kinds=kinds))


def test_a_condition_that_always_holds_chooses_nothing() -> None:
    """JAX writes variances so: what would be chosen else is NaN."""
    layers = [
        node("Where", ["always", "x", "nan"], "a"),
        node("Where", ["never", "nans", "x"], "b"),
        node("Where", ["wide", "z", "x"], "c"),
    ]
    constants = {
        "always": np.bool_(True),
        "never": np.array([False]),
        "wide": np.ones((2, 3), bool),
        "nan": np.float32("nan"),
        "nans": np.full((2, 3), np.nan, np.float32),
    }
    graph = check_import(model(layers, {"x": (2, 3), "z": (3,)}, ("a", "b", "c"), constants))
    assert [type(graph_node.op).__name__ for graph_node in graph.nodes] == ["Identity", "Identity", "Reshape", "Where"]


def test_hardmax_of_old_opsets_is_over_all_that_is_behind() -> None:
    check_import(model([node("Hardmax", ["x"], "y")], {"x": (2, 3, 4)}, opset=11))


def test_what_is_not_supported() -> None:
    one_hot = node("OneHot", ["n", "d", "v"], "y", "hot")
    constants = {"d": np.int64(0), "v": np.float32([0, 1])}
    proto = model([one_hot], {"n": (2,)}, constants=constants, kinds={"n": TensorProto.INT64})
    assert refusal(proto) == "OneHot 'hot': depth=0 must be 1 or more"
    proto = model([node("Trilu", ["x"], "y", "tri")], {"x": (2,)})
    assert refusal(proto) == "Trilu 'tri': input of shape [2]; it must have two dimensions or more"
    proto = model([node("Not", ["x"], "y", "not")], {"x": (2,)})
    assert refusal(proto).startswith("Not 'not': input 0 must be of integers")
