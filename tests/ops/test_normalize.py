"""Normalize: the simulator against its definition in float64, relations, accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from cases.normalize import EPSILON, case, fixed, layer_norm
from support import (
    dequantized,
    float_graph,
    integer_branches,
    integer_graph,
    random_inputs,
    run_float,
    with_ranges,
)

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Shape
from mcuq.kernels.portable.normalize import Loop, loops
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.normalize import Normalize
from mcuq.quantize.scheme import parse_scheme

CASES = fixed()


def graph_of(scheme: str, seed: int = 0) -> Graph:
    return integer_branches(CASES, seed, parse_scheme(scheme))


def real(layer: Layer, codes: Array) -> Array:
    """The definition in float64, of x - zero_point (samples, *shape): in these, constant rows are constant."""
    op, (x, scale, bias) = layer.op, layer.inputs
    assert isinstance(op, Normalize)
    parts, axes = op.split(x.shape)
    along = tuple(axis + 1 for axis in axes)
    values = codes.reshape(len(codes), *parts).astype(np.float64)
    if op.centered:
        values = values - values.mean(axis=along, keepdims=True)
    root = np.sqrt((values * values).mean(axis=along, keepdims=True) + op.epsilon / x.scale**2)
    one = np.divide(values, root, out=np.zeros_like(values), where=root != 0).reshape(codes.shape)
    return np.clip(one * scale.values + bias.values, op.minimum, op.maximum)


def steps_off(graph: Graph, inputs: dict[str, Array]) -> dict[str, float]:
    """How far each output is from its definition, in steps, beyond half a step and 2^-shift."""
    outputs, found = simulate(graph, inputs), {}
    for layer in graph.layers():
        x, y = layer.inputs[0], layer.output
        assert isinstance(layer.op, Normalize)
        exact = real(layer, inputs[x.name] - np.float64(x.zero_point)) / y.scale + y.zero_point
        shift = layer.op.scale_and_bias(layer, layer.inputs[1].values, layer.inputs[2].values).shift
        off = np.abs(outputs[y.name] - np.clip(exact, *y.quantization.bounds))
        found[y.name] = float(off.max() - 0.5 - 2.0**-shift)
    return found


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_integers_are_within_half_a_step_of_the_definition(scheme: str) -> None:
    for seed in range(4):
        graph = graph_of(scheme, seed)
        assert max(steps_off(graph, random_inputs(graph, 20, seed)).values()) <= 0


@pytest.mark.parametrize("epsilon", [0.0, 1e-12, 1e-5, 1.0])
@pytest.mark.parametrize("spread", [1, 2, 5, 127])
def test_small_and_large_variances_keep_epsilons_weight(epsilon: float, spread: int) -> None:
    op, inputs = case(Normalize((1,), epsilon), (8, 48), (1, 48))
    for scale in (1e-4, 0.02, 30.0):
        graph = integer_graph(op, inputs, {"x0": (-128 * scale, 127 * scale), "y": (-6, 6)})
        x = np.random.default_rng(spread).integers(-spread, spread + 1, (6, 8, 48)).astype(np.int8)
        assert max(steps_off(graph, {"x0": x}).values()) <= 0


@pytest.mark.parametrize("scheme", ["int8", "int16"])
@pytest.mark.parametrize("epsilon", [0.0, 1e-5])
def test_a_constant_row_gives_the_bias(scheme: str, epsilon: float) -> None:
    op, inputs = case(Normalize((1,), epsilon), (4, 33), (1, 33))
    graph = integer_graph(op, inputs, {"y": (-4, 4)}, parse_scheme(scheme))
    bounds = np.iinfo(graph.tensors["x0"].dtype)
    for value in (bounds.min, -1, 0, bounds.max):
        y = simulate(graph, {"x0": np.full((1, 4, 33), value, bounds.dtype)})["y"]
        assert np.array_equal(y[0], np.broadcast_to(graph.tensors["y"].encode(inputs[2]), (4, 33)))


def snr(want: Array, got: Array) -> float:
    return float(10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()))


@pytest.mark.parametrize("index", [6, 8, 11, 13, 16], ids=lambda i: str(CASES[i][0]))
def test_sqnr_is_that_of_the_float_layer_between_integers(index: int) -> None:
    """Inputs are rounded to int8, normalized in float32 by ONNX Runtime, and rounded to int8."""
    graph = with_ranges(float_graph(*CASES[index]))
    x = np.random.default_rng(index).normal(size=(40, *graph.tensors["x0"].shape)).astype(np.float32)
    x = x * np.float32(graph.tensors["x0"].scale * 40)
    model = write_onnx(dequantized(graph))
    q, quant = graph.tensors["x0"].encode(x), graph.tensors["y"].quantization
    want = run_float(model, {"x0": x})["y"].clip(*quant.real_bounds)
    between = run_float(model, {"x0": graph.tensors["x0"].decode(q)})["y"]
    best = snr(want, quant.dequantize(quant.quantize(between)))
    assert best > 20
    assert snr(want, quant.dequantize(simulate(graph, {"x0": q})["y"])) >= best - 0.5


def test_a_shift_of_all_inputs_changes_nothing_and_rows_are_independent() -> None:
    op, inputs = layer_norm(24, rows=2)
    graph = integer_graph(op, inputs)
    x = np.random.default_rng(0).integers(-90, 90, (10, 2, 24)).astype(np.int8)
    y = simulate(graph, {"x0": x})["y"]
    assert np.array_equal(simulate(graph, {"x0": x + np.int8(30)})["y"], y)
    assert np.array_equal(simulate(graph, {"x0": x[:, ::-1]})["y"], y[:, ::-1])


def test_neighbouring_dimensions_of_a_kind_are_one_loop() -> None:
    layer_norm_of_images = loops(Normalize((1, 2, 3), EPSILON), (1, 4, 3, 5), (1, 4, 3, 5))
    assert layer_norm_of_images == ([], [Loop(60, 1, 1)])
    groups_last = Normalize((1, 2, 3), EPSILON, group_axis=3, groups=2)
    assert loops(groups_last, (1, 3, 4, 6), (1, 1, 1, 6)) == ([Loop(2, 3, 3)], [Loop(12, 6, 0), Loop(3, 1, 1)])
    groups_first = Normalize((1, 2, 3), EPSILON, group_axis=1, groups=3)
    assert loops(groups_first, (1, 6, 4, 3), (1, 6, 1, 1)) == ([Loop(3, 24, 2)], [Loop(2, 12, 1), Loop(12, 1, 0)])


ONE = np.ones((1, 1), np.float32)


@pytest.mark.parametrize(
    ("op", "x", "parameters", "message"),
    [
        (Normalize((1,), EPSILON), (2, 6), (6,), "scale [6] and bias [6] do not fit [2, 6]"),
        (Normalize((1,), EPSILON), (2, 6), (1, 5), "scale [1, 5] and bias [1, 5] do not fit [2, 6]"),
        (Normalize((1,), EPSILON, group_axis=1, groups=4), (2, 6), (1, 6), "6 channels are not divisible by 4 groups"),
        (
            Normalize((0, 2, 4), EPSILON),
            (2, 3, 4, 5, 6),
            (1, 1, 1, 1, 1),
            "axes [0, 2, 4] of [2, 3, 4, 5, 6] lie in more than two places; transpose it before",
        ),
    ],
)
def test_what_does_not_fit_is_refused(op: Normalize, x: Shape, parameters: Shape, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(*case(op, x, parameters))
    assert str(caught.value).endswith(message)


def test_more_elements_than_32_bits_hold_are_refused() -> None:
    graph = integer_graph(Normalize((1,), EPSILON), [(1, 16385), ONE, ONE], scheme=parse_scheme("int16"))
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, random_inputs(graph, 1))
    assert str(caught.value) == (
        "Normalize 'layer': normalizes 16385 elements at once, more than the 16384 that int16 supports; use int8 or "
        "float32 for it"
    )
