"""Unpool: C against the simulator, the simulator against float; places beyond, and several at one; import."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx_models import check_import, model, node, refusal
from support import Case, Whole, check_float, check_portable_c, float_graph, integer_branches, integer_graph

from mcuq.errors import ModelError
from mcuq.graph.simulate import simulate
from mcuq.ops.unpool import Unpool
from mcuq.quantize.scheme import parse_scheme

UNPOOLED: list[Case] = [
    (Unpool((40,)), [(7,), Whole((7,), 0, 39)]),
    (Unpool((2, 3, 50)), [(2, 5), Whole((2, 5), -3, 320)]),
    (Unpool((1, 300, 200)), [(1, 4, 5), Whole((1, 4, 5), 0, 60_000)]),
]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(UNPOOLED), on, samples=4)


@pytest.mark.slow
def test_c_of_other_numbers_gives_the_simulators_bits() -> None:
    check_portable_c(integer_branches(UNPOOLED, scheme=parse_scheme("int16")), "host", samples=4)
    check_floats(float_layers(UNPOOLED))


def test_simulator_is_exactly_the_float_meaning() -> None:
    for scheme in ("int8", "int16"):
        check_float(integer_branches(UNPOOLED[:1], scheme=parse_scheme(scheme)), 0.0)


def test_of_values_at_one_place_the_last_stays_and_the_rest_is_zero() -> None:
    graph = integer_graph(Unpool((4,)), [(3,), Whole((3,), 0, 3)])
    x, places = np.array([[5, 6, 7]], np.int8), np.array([[2, 0, 2]], np.int8)
    zero = graph.tensors["y"].zero_point
    assert simulate(graph, {"x0": x, "x1": places})["y"].tolist() == [[6, zero, 7, zero]]


def test_indices_of_another_shape_are_refused() -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(Unpool((4,)), [(3,), Whole((2,), 0, 3)])
    assert str(caught.value) == "Unpool 'layer': indices [2] do not fit values [3]"


@pytest.mark.parametrize(
    ("shape", "window", "sizes"),
    [
        ((2, 3, 6, 4), {"kernel_shape": [2, 2], "strides": [2, 2]}, None),
        ((1, 3, 5, 5), {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 3, 5, 5)),
        ((2, 3, 7), {"kernel_shape": [3], "strides": [2]}, None),
        ((1, 1, 6, 6), {"kernel_shape": [3, 3], "strides": [1, 1]}, None),
        ((1, 1, 6, 6), {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}, (1, 1, 6, 6)),
    ],
)
def test_max_unpool(shape, window, sizes):
    nodes = [
        node("MaxPool", ["x"], ["p", "i"], **window),
        node("Neg", ["p"], "q"),
        node("MaxUnpool", ["q", "i", *(["sizes"] if sizes else [])], "y", **window),
    ]
    constants = {"sizes": np.array(sizes, np.int64)} if sizes else {}
    check_import(model(nodes, {"x": shape}, constants=constants), samples=1)


def test_what_does_not_fit_is_refused():
    pool = node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2])
    inputs, sizes = {"x": (1, 1, 4, 4)}, {"o": np.array([1, 1, 3, 4], np.int64)}
    unpool = node("MaxUnpool", ["p", "i", "o"], "y", "up", kernel_shape=[2, 2], strides=[2, 2])
    assert refusal(model([pool, unpool], inputs, constants=sizes)) == (
        "MaxUnpool 'up': output_shape=[1, 1, 3, 4] is less than the [1, 1, 4, 4] that pooling needs"
    )
    unpool = node("MaxUnpool", ["p", "i"], "y", "up", kernel_shape=[2])
    assert refusal(model([pool, unpool], inputs)) == (
        "MaxUnpool 'up': kernel_shape=[2] does not fit input of shape [1, 1, 2, 2]"
    )
