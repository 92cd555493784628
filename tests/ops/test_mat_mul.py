"""MatMul: C against the simulator, the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from cases.mat_mul import any_product, fixed
from float_cases import FLOAT, check_floats, float_layers, float_meaning, real_outputs
from support import check_float, check_portable_c, float_graph, integer_branches, integer_graph, random_inputs

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.simulate import simulate
from mcuq.lower import choose_kernel
from mcuq.ops.mat_mul import MatMul
from mcuq.quantize.scheme import parse_scheme

STEPS = 0.5 + 1e-4
INT16 = parse_scheme("int16")


def cases(seed, count):
    rng = np.random.default_rng(seed)
    return [*fixed()[seed % 5 :: 5], *(any_product(rng) for _ in range(count))]


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases(0, 2)), on)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits_for_all_sizes(on: str, scheme: str) -> None:
    rng = np.random.default_rng(9)
    layers = [*fixed(), *(any_product(rng) for _ in range(20))]
    check_portable_c(integer_branches(layers, 1, parse_scheme(scheme)), on)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_int16_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases(1, 1), 1, INT16), on)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_floats_gives_the_simulators_bits(on: str) -> None:
    check_floats(float_layers(cases(2, 2), FLOAT), on)


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(5):
        check_float(integer_branches(cases(seed, 4), seed), STEPS)


def test_int16_is_within_half_a_step_of_sums_in_float64() -> None:
    """float32 has fewer bits than such sums."""
    graph = integer_branches(cases(4, 4), 2, INT16)
    x = random_inputs(graph, 6)
    got = simulate(graph, x)
    for layer in graph.layers():
        values = [t.values[None] if t.is_constant else x[t.name] for t in layer.inputs]
        a, b = (v.astype(np.float64) * t.scale for v, t in zip(values, layer.inputs, strict=True))
        y = layer.output
        exact = np.matmul(a, b.swapaxes(-1, -2) if layer.op.transposed else b) / y.scale
        assert np.abs(got[y.name] - np.clip(exact, *layer.op.output_bounds(y))).max() <= 0.5 + 256e-4


def test_floats_are_those_of_onnx_runtime() -> None:
    layers = cases(3, 4)
    graph = float_layers(layers, FLOAT)
    rng = np.random.default_rng(4)
    x = {name: rng.normal(size=(4, *graph.tensors[name].shape)).astype(np.float32) for name in graph.inputs}
    want = float_meaning(layers, x)
    for name, y in real_outputs(graph, x).items():
        assert np.abs(y - want[name]).max() <= 1e-4


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("b_range", [(0.0, 1.0), (-1.0, 0.0)])
def test_accumulators_of_many_taps_reach_far(on: str, b_range: tuple[float, float]) -> None:
    """Zero points at either end, beyond 2^24, where float32 no longer holds each integer."""
    ranges = {"x0": (0.0, 1.0), "x1": b_range, "y": (-4000.0, 4000.0)}
    graph = integer_graph(MatMul(), [(1, 4001), (4001, 2)], ranges)
    node = next(graph.layers())
    (call,) = choose_kernel(node, frozenset()).lower(node.op, node)
    assert call.bound == 4001 * 2**16
    check_portable_c(graph, on, samples=3)
    check_float(graph, STEPS)


def test_rows_columns_and_batches_are_independent() -> None:
    one = integer_graph(MatMul(), [(1, 9), (9, 1)], {"y": (-3, 3)})
    all_of = integer_graph(MatMul(transposed=True), [(2, 3, 9), (1, 4, 9)], {"y": (-3, 3)})
    x = random_inputs(all_of, 5)
    got = simulate(all_of, x)["y"]
    for batch, row, column in np.ndindex(2, 3, 4):
        vectors = {"x0": x["x0"][:, batch, row, None], "x1": x["x1"][:, 0, column, :, None]}
        assert np.array_equal(simulate(one, vectors)["y"][:, 0, 0], got[:, batch, row, column])


def test_a_part_is_that_matrix_of_the_batch() -> None:
    shapes = [(2, 3, 4, 9), (2, 1, 5, 9)]
    whole = integer_graph(MatMul(transposed=True), shapes, {"y": (-3, 3)})
    x = random_inputs(whole, 5)
    want = simulate(whole, x)["y"]
    parts = [(MatMul(transposed=True, part=(i, j)), shapes) for i in range(2) for j in range(3)]
    for (op, _), (i, j) in zip(parts, np.ndindex(2, 3), strict=True):
        part = integer_graph(op, shapes, {"y": (-3, 3)})
        assert np.array_equal(simulate(part, x)["y"], want[:, i : i + 1, j : j + 1])
    check_float(integer_branches(parts), STEPS)
    check_portable_c(integer_branches(parts), "host")
    check_floats(float_layers(parts[:2], FLOAT))


def test_macs_are_outputs_times_taps() -> None:
    assert float_graph(MatMul(), [(2, 3, 5), (1, 5, 7)]).macs() == 2 * 3 * 5 * 7


@pytest.mark.parametrize(
    ("a", "b", "transposed", "message"),
    [
        ((2, 4), (5, 3), False, "shapes [2, 4] and [5, 3] do not multiply"),
        ((2, 4), (4, 3), True, "shapes [2, 4] and [4, 3] do not multiply"),
        ((2, 4), (1, 4, 3), False, "shapes [2, 4] and [1, 4, 3] do not multiply"),
        ((4,), (4,), False, "shapes [4] and [4] do not multiply"),
        ((2, 3, 4), (3, 4, 5), False, "batches of [2, 3, 4] and [3, 4, 5] do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(a, b, transposed, message) -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(MatMul(transposed=transposed), [a, b])
    assert str(caught.value) == f"MatMul 'layer': {message}"


@pytest.mark.parametrize("part", [(0, 2), (0,), (-1, 0)])
def test_parts_that_are_not_there_are_refused(part: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        float_graph(MatMul(part=part), [(1, 2, 3, 4), (1, 1, 4, 5)])
    assert str(caught.value) == f"MatMul 'layer': part={list(part)} is no index of a batch of shape [1, 2]"


@pytest.mark.parametrize(
    ("scheme", "taps", "message"),
    [
        ("int8", 2**15, "can reach 2147483648, more than int32 holds (2147483647)"),
        ("int16", 2**14, "can reach 70368744177664, more than a sum of 47 bits holds (70368744177663)"),
    ],
)
def test_more_taps_than_accumulators_hold_are_refused(scheme: str, taps: int, message: str) -> None:
    with pytest.raises(QuantizationError) as caught:
        graph = integer_graph(MatMul(), [(1, taps), (taps, 1)], {"y": (-9e5, 9e5)}, parse_scheme(scheme))
        simulate(graph, random_inputs(graph, 1))
    assert (
        str(caught.value) == f"MatMul 'layer': its accumulator {message}; split the layer, which sums {taps} products"
    )
