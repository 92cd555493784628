"""ToIntegers: C against the simulator, the simulator against float: whole numbers, both signs, both ends."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layer, float_layers
from onnx import TensorProto
from onnx_models import check_import, model, node
from support import Case, check_portable_c, integer_branches, integer_graph

from mcuq.graph.simulate import simulate
from mcuq.ops.to_integers import ToIntegers
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
CASES: list[Case] = [
    (ToIntegers(*ends), [(300,)])
    for ends in ((-(2**31), 2**31 - 1), (-128, 127), (0, 255), (0, 1), (-(2**15), 2**15 - 1), (0, 2**31 - 1))
    for _ in range(3)
]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(CASES), on)
    check_portable_c(integer_branches(CASES, scheme=INT16), on)
    check_floats(float_layers(CASES), on)


@pytest.mark.parametrize("scheme", [Scheme(), INT16], ids=["int8", "int16"])
@pytest.mark.parametrize("reach", [0.9, 1.0, 12.7, 127.0, 128.5, 1e3, 3e9, 1e20, 1e-20])
def test_codes_are_truncated_as_the_numbers_that_they_stand_for(scheme: Scheme, reach: float) -> None:
    graph = integer_graph(ToIntegers(-(2**31), 2**31 - 1), [(256,)], {"x0": (-reach, reach / 2)}, scheme)
    x = graph.tensors["x0"]
    q = np.linspace(*x.quantization.bounds, 256).astype(x.dtype)
    real = (q.astype(float) - x.zero_point) * x.scale
    # What the rounding of scale brought just below a whole number is it.
    want = np.clip(np.trunc(real * (1 + 2.0**-32)), -(2.0**31), 2.0**31 - 1)
    assert np.abs(simulate(graph, {"x0": q[None]})["y"][0] - want).max() <= (0 if reach < 1e6 else 2)


def test_a_tenth_of_ten_steps_is_one() -> None:
    graph = integer_graph(ToIntegers(0, 255), [(3,)], {"x0": (-12.8, 12.7)})
    assert graph.tensors["x0"].zero_point == 0
    x = np.array([[9, 10, -10]], np.int8)
    assert simulate(graph, {"x0": x})["y"].tolist() == [[0, 1, 0]]


def test_floats_that_are_no_numbers_or_too_large() -> None:
    graph = float_layer(ToIntegers(-(2**31), 2**31 - 1), [(7,)])
    x = np.array([[np.nan, np.inf, -np.inf, 3e9, -3e9, 2.9, -2.9]], np.float32)
    assert simulate(graph, {"x0_0": x})["y0"].tolist() == [[0, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 2, -2]]


def test_import() -> None:
    layers = [
        node("Cast", ["x"], "a", to=TensorProto.INT64),
        node("Cast", ["x"], "b", to=TensorProto.INT32),
        node("Cast", ["x"], "c", to=TensorProto.BOOL),
        node("Cast", ["a"], "d", to=TensorProto.BOOL),
        node("Cast", ["c"], "e", to=TensorProto.FLOAT),
        node("Cast", ["c"], "f", to=TensorProto.INT32),
    ]
    outputs = {"a": 7, "b": 6, "c": 9, "d": 9, "e": 1, "f": 6}
    check_import(model(layers, {"x": (2, 3)}, outputs))
