"""Compare: C against the simulator, the simulator against exact numbers: ties, constants on and between steps."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np
import pytest
from binary_cases import SHAPES
from float_cases import FLOAT, check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, model, node
from support import Case, Whole, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.ops.compare import Compare
from mcuq.quantize import Scheme, insert_conversions, quantize_graph
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


def cases() -> list[Case]:
    """Every shape with both computed, a constant behind and one in front, of each relation."""
    rng = np.random.default_rng(0)
    found: list[Case] = []
    for i, (a, b) in enumerate(SHAPES):
        for k, inputs in enumerate(([a, b], [a, rng.normal(size=b)], [rng.normal(0.3, 2, size=a), b])):
            found.append((Compare([*RELATIONS][(i + k) % 5]), inputs))
    return found


OF_INTEGERS: list[Case] = [
    (Compare("<"), [Whole((3, 4), -9, 9), Whole((1, 4), -300, 300)]),
    (Compare("=="), [Whole((2, 5), 0, 4), np.arange(5)[None]]),
    (Compare(">="), [Whole((4,), -70_000, 70_000), np.array([2**20, -5, 0, 1])]),
]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*cases()[:: 1 if on == "host" else 3], *OF_INTEGERS]), on)
    check_portable_c(integer_branches(cases()[::3], scheme=INT16), on)
    check_floats(float_layers([*cases()[::3], *OF_INTEGERS]), on)


def exact(tensor, codes) -> list[Fraction]:
    return [(int(q) - tensor.zero_point) * Fraction(tensor.scale) for q in codes]


@pytest.mark.parametrize("scheme", [Scheme(), INT16], ids=["int8", "int16"])
@pytest.mark.parametrize("relation", RELATIONS)
def test_codes_of_two_scales_compare_as_the_numbers_that_they_stand_for(relation: str, scheme: Scheme) -> None:
    for a_range, b_range in (((-1, 1), (-0.7, 3)), ((0, 255), (0, 1)), ((-1e-3, 1e-3), (-2e4, 7)), ((0, 1), (0, 3))):
        graph = integer_graph(Compare(relation), [(500,), (500,)], {"x0": a_range, "x1": b_range}, scheme)
        x = random_inputs(graph, 4, seed=1)
        a, b = graph.tensors["x0"], graph.tensors["x1"]
        # Half of the pairs as near to each other as codes can be.
        near = np.clip(np.rint((x["x0"][3].astype(float) - a.zero_point) * a.scale / b.scale) + b.zero_point, -128, 127)
        x["x1"][3] = near
        got = simulate(graph, x)["y"]
        for k in range(4):
            pairs = zip(exact(a, x["x0"][k]), exact(b, x["x1"][k]), strict=True)
            # Scales are rounded: a ratio that is meant to be one of small integers is it.
            want = [
                RELATIONS[relation](p - q, 0) if abs(p - q) > abs(p) * Fraction(1, 2**39) else RELATIONS[relation](0, 0)
                for p, q in pairs
            ]
            assert got[k].tolist() == [int(w) for w in want]


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("constant_first", [False, True])
def test_a_constant_is_compared_as_it_is_in_the_file(relation: str, constant_first: bool) -> None:
    step = 2 / 255
    constants = np.array([0, 3 * step, 3.5 * step, -2.25 * step, 1e30, -1e30, np.inf, -np.inf, 9, -0.999])
    for constant in constants:
        value = np.array([constant])
        inputs = [value, (256,)] if constant_first else [(256,), value]
        name = "x1" if constant_first else "x0"
        graph = integer_graph(Compare(relation), inputs, {name: (-1, 1)})
        x = np.arange(-128, 128).astype(np.int8)[None]
        real = (x[0].astype(float) - graph.tensors[name].zero_point) * graph.tensors[name].scale
        value = np.where(np.isclose(real, constant, rtol=1e-7, atol=0), constant, real)
        want = RELATIONS[relation](*((constant, value) if constant_first else (value, constant)))
        assert simulate(graph, {name: x})["y"][0].tolist() == want.astype(int).tolist()


def test_import() -> None:
    layers = [
        node("Less", ["x", "z"], "a"),
        node("Greater", ["x", "half"], "b"),
        node("LessOrEqual", ["x", "z"], "c"),
        node("GreaterOrEqual", ["half", "z"], "d"),
        node("Equal", ["n", "m"], "e"),
        node("Less", ["n", "two"], "f"),
        node("Not", ["e"], "g"),
        node("IsNaN", ["x"], "h"),
        node("IsInf", ["z"], "i"),
        node("IsInf", ["z"], "j", detect_negative=0),
        node("IsInf", ["z"], "k", detect_negative=0, detect_positive=0),
    ]
    outputs = dict.fromkeys([layer.output[0] for layer in layers], TensorProto.BOOL)
    constants = {"half": np.float32(0.5), "two": np.int64([2])}
    kinds = {"n": TensorProto.INT64, "m": TensorProto.INT64}
    check_import(
        model(layers, {"x": (2, 3), "z": (3,), "n": (2, 2), "m": (2,)}, outputs, constants, opset=20, kinds=kinds)
    )


def test_floats_find_nan_and_infinities() -> None:
    layers = [node("IsNaN", ["x"], "a"), node("IsInf", ["x"], "b"), node("IsInf", ["x"], "c", detect_positive=0)]
    outputs = dict.fromkeys("abc", TensorProto.BOOL)
    graph = quantize_graph(insert_conversions(imported(model(layers, {"x": (5,)}, outputs)), FLOAT), {}, FLOAT)
    x = np.array([[np.nan, np.inf, -np.inf, 1, 3e38]], np.float32)
    got = simulate(graph, {"x": x})
    assert [got[name][0].tolist() for name in "abc"] == [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0]]
    check_floats(graph)
