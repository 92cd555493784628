"""MaxPlaces: C against the simulator, the simulator against float; ties and both ends; import."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, model, node, refusal
from support import Case, check_float, check_portable_c, integer_branches, integer_graph

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Integers
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.window import Window
from mcuq.quantize.scheme import parse_scheme

WINDOWS = [Window((2, 2), (2, 2)), Window((3, 2), (2, 1), (1, 0, 1, 1)), Window((2, 2), (1, 2), (0, 1, 1, 0), (3, 2))]
PLACES: list[Case] = [
    (MaxPlaces(window, transposed), [shape])
    for window in WINDOWS
    for transposed, shape in ((False, (2, 6, 5, 3)), (True, (1, 5, 7, 2)))
] + [(MaxPlaces(Window((3, 3), (3, 3), ceil_mode=True)), [(1, 200, 90, 2)])]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(PLACES), on, samples=4)


@pytest.mark.slow
def test_c_of_other_numbers_gives_the_simulators_bits() -> None:
    check_portable_c(integer_branches(PLACES, scheme=parse_scheme("int16")), "host", samples=4)
    check_floats(float_layers(PLACES))


def test_simulator_is_exactly_the_float_meaning() -> None:
    for scheme in ("int8", "int16"):
        check_float(integer_branches(PLACES, scheme=parse_scheme(scheme)), 0.0)


def test_places_take_the_smallest_type_and_the_first_of_equal_values() -> None:
    graph = integer_graph(MaxPlaces(Window((1, 3), (1, 3))), [(1, 1, 6, 1)])
    assert (graph.tensors["y"].dtype, graph.tensors["y"].integers) == ("int8", Integers.of(0, 5))
    x = np.array([-128, -128, -128, 3, 7, 7], np.int8).reshape(1, 1, 1, 6, 1)
    assert simulate(graph, {"x0": x})["y"].reshape(-1).tolist() == [0, 4]


INDICES = {"y": TensorProto.FLOAT, "i": TensorProto.INT64}


@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((2, 3, 6, 4), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ((2, 3, 6, 4), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
        ((2, 3, 7), {"kernel_shape": [3], "strides": [2]}),
        ((1, 2, 7, 6), {"kernel_shape": [2, 2], "dilations": [2, 3]}),
        ((1, 2, 7, 6), {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1}),
    ],
)
def test_indices_are_those_of_onnx_runtime(shape, window, storage_order):
    pool = node("MaxPool", ["x"], ["y", "i"], storage_order=storage_order, **window)
    check_import(model([pool], {"x": shape}, INDICES), samples=1)


def test_indices_of_integers_are_refused():
    quantized = [
        node("QuantizeLinear", ["x", "s", "z"], "q"),
        node("MaxPool", ["q"], ["p", "i"], "pool", kernel_shape=[2, 2]),
        node("DequantizeLinear", ["p", "s", "z"], "y"),
    ]
    constants = {"s": np.float32(0.1), "z": np.int8(0)}
    assert refusal(model(quantized, {"x": (1, 1, 4, 4)}, INDICES, constants)) == (
        "MaxPool 'pool': output Indices is not supported over integers of a QuantizeLinear; use the values alone"
    )
