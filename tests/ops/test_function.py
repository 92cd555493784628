"""Every function of one value that is an expression, by its examples: integers and floats against ONNX Runtime, C
against the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import DYNAMIC, FLOAT, HALF, check_floats, float_layers, with_scheme
from float_twins import units_off
from selections import quick
from support import Case, check_c, float_branches, float_graph, integer_graph, run_float

from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops import OPS
from mcuq.ops.function import Example, Function
from mcuq.quantize import NAMED, Scheme, quantize_graph

FUNCTIONS = [op for op in OPS.values() if issubclass(op, Function)]
EXAMPLES = [pytest.param(e, id=f"{e.op} {e.low:g} {e.high:g}") for op in FUNCTIONS for e in op.examples()]
SCHEMES = {
    "int8": (Scheme(), 0.5),
    "int16": (Scheme(NAMED["int16"]), 0.75),
    "int16 to int8": (Scheme(NAMED["int16"], {"*": NAMED["int8"]}), 0.75),
    "int4": (Scheme(NAMED["int4"]), 0.5),
}
# How outputs are cut: as wide as they are, cut so that they saturate at both ends, and with room.
WIDTHS = (1.0, 0.6, 1.7)


def reals(example: Example, count: int = 40_000) -> Array:
    """float32 of the example's range that have a value, its ends, and halves of whole numbers among them."""
    low, high = max(example.low, example.op.domain[0]), min(example.high, example.op.domain[1])
    first = np.ceil(2 * low)
    grid = np.arange(first, min(np.floor(2 * high), first + 999) + 1) / 2
    x = np.concatenate([[low, high], grid, np.random.default_rng(0).uniform(low, high, count)])
    return x.astype(np.float32)


def onnx_runtime(op: Function, x: Array) -> Array:
    """ONNX Runtime's result for float32 (n,)."""
    return run_float(write_onnx(float_graph(op, [x.shape])), {"x0": x[None]})["y"][0]


def reach(example: Example) -> tuple[float, float]:
    """Least and greatest finite output."""
    y = example.op.function(reals(example, 2000).astype(np.float64))
    y = y[np.isfinite(y)]
    return float(y.min()), float(y.max())


def quantized(example: Example, scheme: Scheme, width: float) -> Graph:
    low, high = reach(example)
    ranges = {"x0": (example.low, example.high), "y": (width * low, width * high)}
    return integer_graph(example.op, [(1,)], ranges, scheme)


def all_codes(graph: Graph) -> Array:
    low, high = graph.tensors["x0"].quantization.bounds
    return np.arange(low, high + 1).astype(graph.tensors["x0"].dtype)[:, None, None]


def float_rounding(op: Function, x: Array, y: Array) -> Array:
    """What float32 may take from a result: some units of it, and what its input's last place makes of it."""
    moved = [np.abs(op.function(x * (1 + sign * 2.0**-23)) - op.function(x)) for sign in (1, -1)]
    return 4 * 2.0**-23 * np.abs(y) + np.fmax(*moved)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_function_says_whether_factors_pass_it(example: Example) -> None:
    x, op = np.random.default_rng(0).uniform(-4, 4, 500), example.op
    with np.errstate(all="ignore"):
        passes = all(np.allclose(op.function(s * x), s * op.function(x), rtol=1e-9, atol=1e-12) for s in (0.5, 3.7))
    assert op.is_homogeneous == passes


@pytest.mark.parametrize("scheme", quick(SCHEMES, 3))
@pytest.mark.parametrize("example", EXAMPLES)
def test_integers_are_onnx_runtimes_within_the_steps_stated(example: Example, scheme: str) -> None:
    """Every code that has a value, with outputs that saturate and that do not."""
    numbers, steps = SCHEMES[scheme]
    if example.op.limits is not None:
        steps = 0.5
    for width in WIDTHS:
        graph = quantized(example, numbers, width)
        x, y = graph.tensors["x0"].quantization, graph.tensors["y"].quantization
        q = all_codes(graph)
        real = x.dequantize(q)
        got = simulate(graph, {"x0": q})["y"]
        want = onnx_runtime(example.op, real.reshape(-1)).reshape(real.shape).astype(np.float64)
        low, high = example.op.domain
        inside = (real >= low) & (real <= high)
        # What is too large for float32 alone is right in the table.
        inside &= np.isfinite(want) | np.isinf(example.op.function(real.astype(np.float64)))
        exact = np.clip(want / y.step + y.zero_point, *y.bounds)
        # A jump, as of Floor, may come a code sooner or later in float32: there the table's real number counts.
        own = np.clip(example.op.function(x.step * (q.astype(float) - x.zero_point)) / y.step + y.zero_point, *y.bounds)
        rounding = 1e-3 + float_rounding(example.op, real.astype(np.float64), want) / y.step
        off = np.where(inside, np.abs(got - exact), 0)
        jumps = inside & (np.abs(own - exact) > 1 + rounding)
        assert jumps.mean() <= 0.02
        assert not np.isnan(want[inside]).any()
        wrong = np.flatnonzero((off > steps + np.minimum(rounding, 0.5)) & ~jumps)
        assert wrong.size == 0, (width, real.flat[wrong[0]], exact.flat[wrong[0]], got.flat[wrong[0]])
        assert np.abs(got - own).max() <= steps + 1e-6


@pytest.mark.parametrize("example", EXAMPLES)
def test_floats_are_within_the_units_stated(example: Example) -> None:
    x = reals(example, 200_000)
    exact = example.op.function(x.astype(np.float64))
    finite = np.isfinite(exact)
    off = units_off(example.op.float_function(x)[finite], exact[finite], example.op.least)
    with np.errstate(divide="ignore"):
        stated = example.op.stated_units(x[finite].astype(np.float64))
    worst = (off - stated).argmax()
    assert off[worst] <= stated[worst] * (1 + 1e-6), x[finite][worst]


@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda op: op.__name__)
def test_the_units_stated_are_not_far_from_what_is_measured(op: type[Function]) -> None:
    most = 0.0
    for example in op.examples():
        x = reals(example, 200_000).astype(np.float32)
        exact = example.op.function(x.astype(np.float64))
        x, exact = x[np.isfinite(exact)], exact[np.isfinite(exact)]
        off = units_off(example.op.float_function(x), exact, op.least)
        with np.errstate(divide="ignore"):
            most = max(most, float((off / np.maximum(example.op.stated_units(x.astype(np.float64)), 1e-9)).max()))
    assert most >= 0.5 or op.units == 0


@pytest.mark.parametrize("example", EXAMPLES)
def test_floats_are_onnx_runtimes_within_float_rounding(example: Example) -> None:
    """Of what the function does to its input's last place, too: ONNX Runtime rounds otherwise on the way."""
    x = reals(example)
    want, got = onnx_runtime(example.op, x), example.op.float_function(x)
    assert np.array_equal(np.isfinite(want), np.isfinite(got))
    finite = np.isfinite(want)
    scale = np.maximum(np.abs(want[finite]), np.float32(min(1.0, np.abs(want[finite]).max())))
    assert (np.abs(got[finite] - want[finite]) <= 1e-6 * scale + 16 * np.spacing(scale)).all()


@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda op: op.__name__)
def test_tables_are_in_the_functions_order_even_beyond_the_domain(op: type[Function]) -> None:
    """Codes without a value have that of the domain's end: never NaN."""
    with np.errstate(all="raise", under="ignore"):
        for example in op.examples():
            x = np.array([-np.inf, -3e38, -1.0, 0.0, 1e-40, 1.0, 3e38, np.inf])
            y = example.op.function(x)
            assert not np.isnan(y).any()
            low, high = example.op.domain
            ends = np.array([max(low, -3.4e38), min(high, 3.4e38)])
            assert np.array_equal(y[x < low], np.full((x < low).sum(), example.op.function(ends)[0]))


def graph_of(scheme: Scheme) -> Graph:
    """All examples side by side."""
    cases: list[Case] = [(e.op, [(1, 3, 100)]) for op in FUNCTIONS for e in op.examples()]
    examples = [e for op in FUNCTIONS for e in op.examples()]
    ranges = {}
    for i, example in enumerate(examples):
        low, high = reach(example)
        ranges |= {f"x{i}_0": (example.low, example.high), f"y{i}": (0.8 * low, 0.8 * high)}
    return quantize_graph(float_branches(cases), ranges, scheme)


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_on_the_host_gives_the_simulators_bytes(scheme: str) -> None:
    check_c(graph_of(SCHEMES[scheme][0]), "host")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int8", "int16", "int16 to int8"])
@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain)]
)
def test_c_on_an_emulated_cpu_gives_the_simulators_bytes(board: str, scheme: str) -> None:
    check_c(graph_of(SCHEMES[scheme][0]), "emulator", samples=3, board=board)


def float_graph_of(scheme: Scheme) -> Graph:
    return with_scheme(float_branches([(e.op, [(1, 60)]) for op in FUNCTIONS for e in op.examples()]), scheme)


def test_c_of_floats_on_the_host_gives_the_simulators_bits() -> None:
    check_floats(float_graph_of(FLOAT))


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain)]
)
def test_c_of_floats_on_an_emulated_cpu_gives_the_simulators_bits(board: str) -> None:
    check_floats(float_graph_of(FLOAT), "emulator", board)


@pytest.mark.parametrize("scheme", [HALF, DYNAMIC], ids=["float16", "dynamic"])
def test_other_schemes_with_floats_compute_in_float32(scheme: Scheme) -> None:
    cases: list[Case] = [(op.examples()[0].op, [(1, 8)]) for op in FUNCTIONS]
    graph = float_layers(cases, scheme)
    assert {t.dtype for t in graph.tensors.values()} == {"float32"}
    check_floats(graph)
