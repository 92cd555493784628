"""Power: C against the simulator, the simulator against ONNX Runtime, exponents as files have them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from binary_cases import binary_cases
from float_cases import check_floats, float_layers
from onnx_models import check_import, model, node, random
from support import Case, check_portable_c, float_branches, random_inputs, run_float

from mcuq.errors import QuantizationError
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.pow import Pow
from mcuq.ops.power import Power
from mcuq.quantize import Scheme, quantize_graph
from mcuq.quantize.scheme import parse_scheme

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1, 5, 3, 4), (1, 5, 3, 4)),
    ((1, 5, 3, 4), (1, 1, 1, 4)),
    ((1, 1, 3, 4), (1, 5, 1, 1)),
    ((40,), (40,)),
]
NAMES = (("x", "_0"), ("x", "_1"), ("y", ""))
# (range of base, of exponent, of power, limits)
RANGES = [
    ((0.0, 4.0), (-2.0, 2.0), (0.0, 16.0), (-inf, inf)),
    ((0.0, 1.0), (0.0, 3.0), (0.0, 1.0), (-inf, inf)),
    ((0.0, 30.0), (-1.0, 1.5), (0.0, 100.0), (0.0, 60.0)),
    ((0.0, 1e-3), (0.0, 0.5), (0.0, 0.5), (0.01, 0.4)),
    ((0.0, 2.0), (0.0, 12.0), (0.0, 200.0), (-inf, inf)),
]


def graph_of(scheme: Scheme) -> Graph:
    """Every shape with every range."""
    cases: list[Case] = []
    ranges = {}
    for base, exponent, power, (low, high) in RANGES:
        for a, b in SHAPES:
            i = len(cases)
            ranges |= {f"x{i}_0": base, f"x{i}_1": exponent, f"y{i}": power}
            cases.append((Power(minimum=low, maximum=high), [a, b]))
    return quantize_graph(float_branches(cases), ranges, scheme)


def reals(layer: Layer, inputs: dict[str, Array]) -> tuple[Array, Array]:
    """What the operands stand for, in float64."""
    first, second = layer.inputs
    a, b = ((inputs[t.name].astype(np.float64) - t.zero_point) * t.scale for t in (first, second))
    return a, b


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(scheme: str) -> None:
    check_portable_c(graph_of(parse_scheme(scheme)), "host")
    cases = binary_cases([Power])
    own = [((0.0, 3.0), (-2.0, 2.0), (-1.0, 9.0)) for _ in cases]
    ranges = {f"{x}{i}{k}": r for i, three in enumerate(own) for (x, k), r in zip(NAMES, three, strict=True)}
    check_portable_c(quantize_graph(float_branches(cases), ranges, parse_scheme(scheme)), "host")


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_integers_are_within_the_steps_stated(scheme: str) -> None:
    """Of bases that are not negative, 0 among them."""
    graph = graph_of(parse_scheme(scheme))
    inputs = random_inputs(graph, 60)
    for layer in graph.layers():
        first = layer.inputs[0]
        inputs[first.name] = np.maximum(inputs[first.name], first.zero_point)
        inputs[first.name][2:4] = first.zero_point
        inputs[layer.inputs[1].name][3:5] = layer.inputs[1].zero_point
    found = simulate(graph, inputs)
    for layer in graph.layers():
        a, b = reals(layer, inputs)
        y = layer.output
        assert isinstance(layer.op, Power)
        with np.errstate(divide="ignore", over="ignore"):
            exact = np.clip(a**b, layer.op.minimum, layer.op.maximum) / y.scale + y.zero_point
        inside = np.clip(exact, *y.quantization.bounds)
        steps = 0.5 + 2.0**-18 * (np.abs(b) + 1) * np.abs(inside - y.zero_point) + 2.0**-12
        assert (np.abs(found[y.name] - inside) <= steps).all(), layer.op


def test_integers_are_onnx_runtimes() -> None:
    graph = graph_of(parse_scheme("int8"))
    inputs = random_inputs(graph, 20)
    floats = float_branches([(layer.op, [t.shape for t in layer.inputs]) for layer in graph.layers()])
    real = {name: graph.tensors[name].quantization.dequantize(x) for name, x in inputs.items()}
    want, got = run_float(write_onnx(floats), real), simulate(graph, inputs)
    for layer in graph.layers():
        y = layer.output
        exact = np.clip(want[y.name].astype(np.float64) / y.scale + y.zero_point, *y.quantization.bounds)
        assert np.abs(got[y.name] - exact).max() <= 0.51


def test_negative_bases_have_the_sign_of_the_nearest_whole_exponent() -> None:
    ranges = {"x0_0": (-2.0, 2.0), "x0_1": (-3.0, 3.0), "y0": (-8.0, 8.0)}
    graph = quantize_graph(float_branches([(Power(), [(200,), (200,)])]), ranges, parse_scheme("int16"))
    (layer,) = graph.layers()
    rng = np.random.default_rng(0)
    whole = np.rint(rng.integers(-3, 4, (5, 200)) / layer.inputs[1].scale)
    inputs = {"x0_0": rng.integers(-32768, 32768, (5, 200)).astype(np.int16), "x0_1": whole.astype(np.int16)}
    a, b = reals(layer, inputs)
    with np.errstate(divide="ignore"):
        exact = np.where(np.rint(b) % 2 == 1, np.sign(a), 1) * np.abs(a) ** b
    exact = np.where((a == 0) & (b < 0), np.inf, exact)
    bounds = layer.output.quantization.bounds
    assert np.abs(simulate(graph, inputs)["y0"] - np.clip(exact / layer.output.scale, *bounds)).max() < 1


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    cases: list[Case] = [(Power(), [a, b]) for a, b in SHAPES] + [(Power(minimum=0.1, maximum=3.0), [(5, 4), (1, 4)])]
    graph = float_layers(cases)
    check_floats(graph)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(4, *graph.tensors[name].shape)).astype(np.float32) for name in graph.inputs}
    for name, x in inputs.items():
        x[0] = np.abs(x[0])
        if name.endswith("_1"):
            x[1:3] = rng.integers(-4, 5, x[1:3].shape)
        else:
            x[2].flat[::3] = 0
    want, got = run_float(write_onnx(float_branches(cases)), inputs), simulate(graph, inputs)
    for name in graph.outputs:
        np.testing.assert_allclose(got[name], want[name], rtol=5e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("scales", [(1.0, 300.0, 1.0), (1e12, 1.0, 1.0)])
def test_scales_beyond_the_integers_are_refused(scales: tuple[float, float, float]) -> None:
    ranges = {name: (0.0, 255 * scale) for name, scale in zip(("x0_0", "x0_1", "y0"), scales, strict=True)}
    graph = quantize_graph(float_branches([(Power(), [(4,), (4,)])]), ranges, parse_scheme("int8"))
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, random_inputs(graph, 2))
    a, b, y = scales
    assert str(caught.value) == (
        f"Power '{graph.nodes[0].name}': scales of {a:g}, {b:g} and {y:g} of base, exponent and power are beyond what "
        "integers compute; check the calibration data, or use float32 for it"
    )


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (5,), (3, 1, 1), (2, 3, 4, 5)])
def test_exponents_may_be_computed(shape: tuple[int, ...]) -> None:
    nodes = [node("Exp", ["x"], "a"), node("Pow", ["a", "e"], "y")]
    graph = check_import(model(nodes, {"x": (1, 3, 4, 5), "e": shape}), samples=1)
    assert isinstance(graph.nodes[-1].op, Power)


def test_exponents_may_be_many_and_bases_constant() -> None:
    nodes = [
        node("Exp", ["x"], "a"),
        node("Pow", ["a", "many"], "y"),
        node("Pow", ["two", "x"], "z"),
        node("Pow", ["a", "one"], "w"),
    ]
    constants = {"many": random(5), "two": np.full((1, 1), 2.0, np.float32), "one": np.full((1, 1), 1.5, np.float32)}
    graph = check_import(model(nodes, {"x": (1, 3, 4, 5)}, ("y", "z", "w"), constants=constants), samples=1)
    assert {type(n.op) for n in graph.nodes if n.output in ("y", "z", "w")} == {Power, Pow}
