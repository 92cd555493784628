"""LRN: C against the simulator, the simulator against ONNX Runtime and the definition, accuracy, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers, float_meaning, real_outputs
from onnx_models import check_import, model, node, refusal
from support import Case, check_c, check_float, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.ops.lrn import LRN
from mcuq.quantize.scheme import parse_scheme

CASES: list[Case] = [
    (LRN(3, 5), [(1, 3, 2, 7)]),
    (LRN(3, 3, 2.0, 0.75, 0.5), [(2, 3, 2, 9)]),
    (LRN(1, 3, 0.3, 0.5, 2.0), [(1, 4, 3, 2)]),
    (LRN(3, 2, 1.0, 1.0), [(1, 2, 2, 5)]),
    (LRN(3, 9, 0.7, 2.5), [(1, 2, 2, 4)]),  # more neighbours than channels
    (LRN(3, 4, 1.0, 0.0), [(1, 1, 2, 3)]),
    (LRN(3, 1, 4.0, 0.75, 1e-3), [(1, 2, 2, 3)]),
    (LRN(2, 3, 0.0, 0.75, 3.0), [(1, 1, 4)]),
    (LRN(1, 5, 1.0, minimum=0.0), [(1, 6, 3)]),
    (LRN(3, 5, 0.5, maximum=0.4), [(1, 3, 2, 7)]),
]


def steps(layer: Layer) -> float:
    """What is stated: of the largest y that has a code."""
    op, y = layer.op, layer.output.quantization
    assert isinstance(op, LRN)
    most = max(abs(bound - y.zero_point) for bound in y.bounds)
    return 0.5 + (op.beta * (op.beta + 1) * 2.0**-19 + 2.0**-26) * most


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(scheme: str) -> None:
    check_portable_c(integer_branches(CASES, scheme=parse_scheme(scheme)), "host")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int8", "int16"])
@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain)]
)
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, scheme: str) -> None:
    check_c(integer_branches(CASES, 1, parse_scheme(scheme)), "emulator", samples=3, board=board)


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_simulator_is_within_the_steps_stated_of_onnx_runtime(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(CASES, seed, parse_scheme(scheme)), steps, seed=seed)


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    graph = float_layers(CASES)
    check_floats(graph)
    rng = np.random.default_rng(0)
    x = {n: rng.normal(size=(3, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    want, got = float_meaning(CASES, x), real_outputs(graph, x)
    for name in graph.outputs:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("bias", [1e-20, 1.0, 1e10])
def test_bases_of_any_size_are_within_the_steps_stated(scale: float, bias: float) -> None:
    op, shape = LRN(3, 5, 1.0, 0.75, bias), (1, 3, 3, 8)
    reach = scale / (bias + scale**2 / 4) ** 0.75
    graph = integer_graph(op, [shape], {"x0": (-scale, scale), "y": (-reach, reach)})
    (layer,) = graph.layers()
    codes = random_inputs(graph, 20)["x0"]
    codes[2:4] = np.random.default_rng(0).integers(-1, 2, codes[2:4].shape)
    x = (codes.astype(np.float64) - layer.inputs[0].zero_point) * layer.inputs[0].scale
    base = bias + op.alpha / op.size * np.sum(op.neighbours((x * x).reshape(20, 9, 8, 1)), axis=0).reshape(x.shape)
    y = layer.output
    exact = np.clip(x / base**op.beta / y.scale + y.zero_point, -128, 127)
    assert np.abs(simulate(graph, {"x0": codes})["y"] - exact).max() <= steps(layer) + 1e-3


def test_int8_is_as_good_as_a_float_layer_between_int8() -> None:
    """Within 0.5 dB, on inputs of a normal distribution."""
    op = LRN(3, 5, 1e-1, 0.75, 1.0)
    graph = integer_graph(op, [(1, 8, 8, 16)], {"x0": (-4, 4), "y": (-3.6, 3.6)})
    (layer,) = graph.layers()
    real = np.random.default_rng(0).normal(size=(4, 1, 8, 8, 16))
    codes, y = layer.inputs[0].quantization.quantize(real), layer.output.quantization

    def divided(x: np.ndarray) -> np.ndarray:
        squares = np.sum(op.neighbours((x * x).reshape(4, 64, 16, 1)), axis=0).reshape(x.shape)
        return x / (op.bias + op.alpha / op.size * squares) ** op.beta

    want = divided(real)
    between = y.dequantize(y.quantize(divided(layer.inputs[0].quantization.dequantize(codes).astype(np.float64))))
    ours = y.dequantize(simulate(graph, {"x0": codes})["y"])
    lost = [10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()) for got in (between, ours)]
    assert lost[1] > lost[0] - 0.05
    assert lost[1] > 35


@pytest.mark.parametrize("shape", [(1, 7, 4, 3), (2, 5, 1, 2)])
@pytest.mark.parametrize("attributes", [{"size": 3}, {"size": 5, "alpha": 2.0, "beta": 0.5, "bias": 0.5}])
def test_it_is_imported_along_the_channels(shape: tuple[int, ...], attributes: dict[str, float]) -> None:
    check_import(model([node("LRN", ["x"], "y", **attributes)], {"x": shape}))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"size": 0}, "size=0 of an input of shape [1, 4, 3, 3]; it must have channels and a size"),
        (
            {"size": 3, "bias": 0.0},
            "alpha=0.0001, beta=0.75, bias=0 are not supported; alpha must be 0 or more, beta from 0 to 10, bias "
            "positive",
        ),
        (
            {"size": 3, "alpha": -1.0, "beta": 11.0},
            "alpha=-1, beta=11, bias=1 are not supported; alpha must be 0 or more, beta from 0 to 10, bias positive",
        ),
    ],
)
def test_what_has_no_value_everywhere_is_refused(attributes: dict[str, float], message: str) -> None:
    assert refusal(model([node("LRN", ["x"], "y", "n", **attributes)], {"x": (1, 4, 3, 3)})) == f"LRN 'n': {message}"
