"""ReduceSum, ReduceMin, ReduceProd and the norms: C against the simulator, the simulator against ONNX Runtime."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from float_cases import DYNAMIC, check_floats, float_layers, float_meaning, real_outputs, with_scheme
from support import Case, check_c, check_float, check_portable_c, float_graph, integer_branches, integer_graph

from mcuq.errors import QuantizationError
from mcuq.graph.simulate import simulate
from mcuq.ops.mean import ReduceSum
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.quantize import NAMED, Scheme

INT16 = Scheme(NAMED["int16"])
NARROWED = Scheme(NAMED["int16"], {"*": NAMED["int8"]})
NORMS: tuple[type[ReduceL1], ...] = (ReduceL1, ReduceL2, ReduceSumSquare)
CLAMPED = (*NORMS, ReduceSum, ReduceProd)
BOUNDS = ((-inf, inf), (-inf, inf), (0, inf), (-0.3, 0.7))
LAYERS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((7,), (0,)),
    ((2, 5, 7, 3), (1, 2)),
    ((2, 5, 7, 3), (3,)),
    ((2, 5, 7, 3), (0,)),
    ((1, 4, 1, 3), (1, 3)),  # neighbours, as what lies between has one element
    ((1, 3, 4), (0, 1, 2)),
    ((3, 40, 31, 2), (1, 2)),
    ((4, 3), ()),
]


def cases(seed: int) -> list[Case]:
    return [
        (op(axes, minimum=low, maximum=high), [shape])
        for i, (shape, axes) in enumerate(LAYERS)
        for op in (CLAMPED if i < 6 else CLAMPED[:-1])  # many values' product is beyond floats
        for low, high in [BOUNDS[(i + seed) % len(BOUNDS)]]
    ] + [(op(axes), [shape]) for op in (ReduceMin, ReduceLp) for shape, axes in LAYERS]


SCHEMES = {"int8": Scheme(), "int16": INT16, "int16 to int8": NARROWED}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_c_gives_the_simulators_bits(scheme: str) -> None:
    check_portable_c(integer_branches(cases(0), scheme=SCHEMES[scheme]), "host")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain)]
)
def test_c_on_an_emulated_cpu_gives_the_simulators_bits(board: str, scheme: str) -> None:
    check_c(integer_branches(cases(1), 1, SCHEMES[scheme]), "emulator", samples=3, board=board)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_simulator_is_within_half_a_step_of_onnx_runtime(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(cases(seed), seed, SCHEMES[scheme]), 0.51)


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    graph = float_layers(cases(2))
    check_floats(graph)
    rng = np.random.default_rng(0)
    x = {n: rng.uniform(-1.2, 1.2, (2, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    want, got = float_meaning(cases(2), x), real_outputs(graph, x)
    for layer in graph.layers():
        name = layer.output.name
        added = layer.inputs[0].elements / layer.output.elements
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-7 * added)


def test_dynamic_scheme_computes_in_float32() -> None:
    check_floats(with_scheme(float_graph(ReduceL2((1,)), [(2, 5)]), DYNAMIC))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_roots_of_a_square_are_exact(dtype: str) -> None:
    """sqrt(x^2) of one value, with the input's steps, is |x|."""
    scheme = Scheme(NAMED[dtype])
    most = 2 if dtype == "int8" else 1
    graph = integer_graph(ReduceL2((1,)), [(1, 1)], {"x0": (-1, 1), "y": (0, most)}, scheme)
    x = graph.tensors["x0"].quantization
    q = np.arange(x.bounds[0], x.bounds[1] + 1).astype(dtype).reshape(-1, 1, 1)
    y = simulate(graph, {"x0": q})["y"]
    size = np.abs(q.astype(int) - x.zero_point)
    assert np.array_equal(y.astype(int) - graph.tensors["y"].zero_point, np.minimum(size, 32767))


def test_products_of_many_do_not_leave_their_bits() -> None:
    """Beyond what floats hold on the way: the first half grows, the second shrinks."""
    count = 400
    graph = integer_graph(ReduceProd((1,)), [(1, count)], {"x0": (-2, 2), "y": (-1.3, 1.3)})
    x, y = graph.tensors["x0"].quantization, graph.tensors["y"].quantization
    rng = np.random.default_rng(0)
    above = rng.integers(80, 128, (50, 1, count // 2))
    q = np.concatenate([above, np.rint(x.step**-2 / above).astype(int)], axis=2)
    q[1::2] = rng.permuted(q[1::2], axis=2)
    q[25:, :, 0] = x.zero_point - (q[25:, :, 0] - x.zero_point)
    real = (q.astype(np.longdouble) - x.zero_point) * x.step
    exact = np.clip(np.prod(real, axis=2, keepdims=True) / y.step + y.zero_point, *y.bounds)
    got = simulate(graph, {"x0": q.astype(np.int8)})["y"]
    assert np.abs(got - exact).max() <= 0.5 + 1e-4
    assert len(np.unique(got)) > 5


def test_more_squares_than_are_added_up_are_refused() -> None:
    graph = integer_graph(ReduceL2((1,)), [(1, 70_000)], {}, INT16)
    with pytest.raises(QuantizationError) as caught:
        simulate(graph, {"x0": np.zeros((1, 1, 70_000), np.int16)})
    assert str(caught.value) == (
        "ReduceL2 'layer': adds up 70000 values, more than the 65535 that int16 supports; use int8 or float32 for it"
    )
