"""DynamicQuantize: C against the simulator, codes against exact fractions and ONNX Runtime; constants, and zeros."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, model, node, original_outputs, random
from support import Case, check_float, check_portable_c, integer_branches, random_inputs

import mcuq
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.dynamic_quantize import PARTS, DynamicQuantize
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
SHAPES = ((1,), (2, 9), (3, 1, 5))
CASES: list[Case] = [(DynamicQuantize(part), [shape]) for part in PARTS for shape in SHAPES]
CASES += [(DynamicQuantize("scale", minimum=0.001, maximum=0.01), [(7,)])]
SCALES = [case for case in CASES if case[0].part == "scale"]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(CASES), on)
    check_portable_c(integer_branches(CASES, scheme=INT16), on)
    check_floats(float_layers(CASES), on)


def nearest(x: int, span: int) -> int:
    """x * 255 / span, halves up."""
    return floor(Fraction(255 * x, span) + Fraction(1, 2)) if span else 0


@pytest.mark.parametrize("scheme", [None, INT16])
def test_codes_are_those_of_exact_arithmetic(scheme: Scheme | None) -> None:
    cases: list[Case] = [(DynamicQuantize(part), [(40,)]) for part in ("codes", "zero point")]
    graph = integer_branches(cases, scheme=scheme) if scheme else integer_branches(cases)
    x = random_inputs(graph, 12)
    for name in x:
        x[name][2], x[name][3:6] = graph.tensors[name].zero_point, x[name][3:6] // 9
    got = simulate(graph, x)
    met = set()
    for layer in graph.layers():
        name, zero = layer.inputs[0].name, layer.inputs[0].zero_point
        for row, y in zip(x[name].astype(int).tolist(), got[layer.output.name], strict=True):
            low, high = min(*row, zero), max(*row, zero)
            point = nearest(zero - low, high - low)
            want = [min(max(nearest(v - zero, high - low) + point, 0), 255) for v in row]
            assert y.reshape(-1).tolist() == (want if layer.op.part == "codes" else [point])
            met.update((point, *want))
    assert {0, 255} <= met


def test_the_scale_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(3):
        check_float(integer_branches(SCALES, seed), 0.51)
        check_float(integer_branches(SCALES, seed, scheme=INT16), 0.51)


def sums(bias: int) -> list:
    """Codes that are multiplied, and real values of their sums plus a bias of integers."""
    return [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "dynamic"),
        node("MatMulInteger", ["q", "w", "z"], "products", "layer"),
        *([node("Add", ["products", "b"], "sums")] if bias else []),
        node("Cast", ["sums" if bias else "products"], "f", to=TensorProto.FLOAT),
        node("Mul", ["f", "s"], "scaled"),
        node("Mul", ["scaled", "k"], "y"),
    ]


def test_all_of_zeros_have_the_scale_1() -> None:
    proto = model(
        [node("DynamicQuantizeLinear", ["x"], [*"qsz"])],
        {"x": (2, 3)},
        {"q": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8},
    )
    assert original_outputs(proto, {"x": np.zeros((2, 3))})["s"] == 1
    data: dict[str, Array] = {"x": np.stack([random(2, 3, low=-300, high=300, seed=i) for i in range(8)])}
    for scheme in ("int8", "float32"):
        compiled = mcuq.compile(proto, "host", data, name="net", scheme=scheme, judged=False)
        got = mcuq.simulate(compiled, {"x": np.zeros((1, 2, 3), np.float32)}).outputs
        assert abs(float(got["s"].item()) - 1) <= (0.01 if scheme == "int8" else 0)
        assert not got["q"].any()
        assert not got["z"].any()


def test_import() -> None:
    outputs = {"q": TensorProto.UINT8, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}
    dynamic = node("DynamicQuantizeLinear", ["x"], [*outputs], "dynamic")
    check_import(model([dynamic], {"x": (3, 4)}, outputs))
    graph = check_import(model([dynamic], {"x": (3, 4)}, {"z": TensorProto.UINT8}))
    assert [layer.op for layer in graph.layers()] == [DynamicQuantize("zero point")]


@pytest.mark.parametrize("scheme", ["int8", "int16", "float32"])
def test_sums_that_no_float_form_is_known_of_are_computed_as_the_file_says(scheme: str) -> None:
    """A bias of integers is added to sums whose scale is found at run time. Weights of 7 bits: ONNX Runtime's sums of
    larger ones saturate on CPUs without VNNI."""
    rng = np.random.default_rng(0)
    constants = {"w": rng.integers(-63, 64, (24, 5)).astype(np.int8), "k": np.float32(0.01)}
    constants["b"] = rng.integers(-3000, 3000, 5).astype(np.int32)
    proto = model(sums(bias=1), {"x": (2, 24)}, constants=constants)
    names = {type(layer.op).__name__ for layer in imported(proto).layers()}
    assert {"DynamicQuantize", "IntegerMatMul"} <= names
    assert mcuq.importer.dynamic_layers(proto) == ()
    x = rng.normal(size=(40, 2, 24)).astype(np.float32)
    want = np.stack([original_outputs(proto, {"x": sample})["y"] for sample in x])
    compiled = mcuq.compile(proto, "host", {"x": x}, name="net", scheme=scheme, judged=False)
    got = mcuq.simulate(compiled, {"x": x}).outputs["y"]
    error = ((got.reshape(want.shape) - want) ** 2).mean()
    assert 10 * np.log10((want**2).mean() / error) > {"int8": 30, "int16": 38, "float32": 45}[scheme]


def test_the_same_without_the_bias_has_its_float_form() -> None:
    constants = {"w": np.ones((24, 5), np.int8), "k": np.float32(0.01)}
    proto = model(sums(bias=0), {"x": (2, 24)}, constants=constants)
    assert "DynamicQuantize" not in {type(layer.op).__name__ for layer in imported(proto).layers()}
    assert mcuq.importer.dynamic_layers(proto) == ("layer",)
