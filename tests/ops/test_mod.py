"""Mod: C against the simulator, the simulator against its definition and ONNX Runtime, what files have."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from binary_cases import binary_cases
from float_cases import check_floats, float_layers
from onnx_models import check_import, model, node, random, refusal
from support import check_portable_c, float_branches, integer_branches, integer_graph, random_inputs, run_float

from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.mod import Mod
from mcuq.quantize.scheme import parse_scheme


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(scheme: str) -> None:
    check_portable_c(integer_branches(binary_cases([Mod]), scheme=parse_scheme(scheme)), "host")


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(("a", "b"), [((-4.0, 4.0), (-1.0, 1.0)), ((-1.0, 3.0), (0.5, 2.2)), ((0.0, 9.0), (-2.0, 0.0))])
def test_integers_are_the_definitions_remainders(dtype: str, a: tuple[float, float], b: tuple[float, float]) -> None:
    graph = integer_graph(Mod(), [(300,), (300,)], {"x0": a, "x1": b, "y": (-3, 3)}, parse_scheme(dtype))
    (layer,) = graph.layers()
    x, z, y = (t.quantization for t in (*layer.inputs, layer.output))
    inputs = random_inputs(graph, 6)
    got = simulate(graph, inputs)["y"]
    near = 2.0**-20 if dtype == "int8" else 2.0**-13
    for first, second, q in zip(inputs["x0"].flat, inputs["x1"].flat, got.flat, strict=True):
        dividend, divisor = (Fraction(t.step) * (int(v) - t.zero_point) for t, v in ((x, first), (z, second)))
        rest = abs(dividend) % abs(divisor) if divisor else Fraction(0)
        nearest = min(rest, abs(divisor) - rest)
        exact = (rest if dividend >= 0 else -rest) / Fraction(y.step) + y.zero_point
        inside = min(max(exact, y.bounds[0]), y.bounds[1])
        if divisor == 0 or nearest > near * abs(dividend):
            assert abs(int(q) - inside) <= Fraction(1, 2) + Fraction(near) * abs(dividend) / Fraction(y.step)


def test_equal_steps_are_exact() -> None:
    graph = integer_graph(Mod(), [(256, 1), (1, 256)], {"x0": (-1, 1), "x1": (-1, 1), "y": (-1, 1)})
    codes = np.arange(-128, 128, dtype=np.int8)
    y = simulate(graph, {"x0": codes.reshape(1, 256, 1), "x1": codes.reshape(1, 1, 256)})["y"][0]
    whole = codes.astype(int)
    want = np.where(whole == 0, 0, np.fmod(whole[:, None], np.where(whole == 0, 1, whole)))
    assert np.array_equal(y, want)


def test_floats_are_the_simulators_and_onnx_runtimes() -> None:
    cases = [(op, inputs) for op, inputs in binary_cases([Mod]) if all(isinstance(i, tuple) for i in inputs)]
    graph = float_layers(cases)
    check_floats(graph)
    rng = np.random.default_rng(0)
    x = {n: rng.normal(0, 3, (3, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    want, got = run_float(write_onnx(float_branches(cases)), x), simulate(graph, x)
    for name in graph.outputs:
        assert np.array_equal(got[name], want[name])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_what_is_less_than_each_step_of_the_divisor_is_its_own_remainder(dtype: str) -> None:
    """And what has larger steps than all of the divisor has a remainder of its sign that is less than that."""
    graph = integer_graph(
        Mod(), [(300,), (300,)], {"x0": (-1e-8, 1e-8), "x1": (-1, 1), "y": (-1e-8, 1e-8)}, parse_scheme(dtype)
    )
    inputs = random_inputs(graph, 6)
    zeros = inputs["x1"] == graph.tensors["x1"].zero_point
    y = simulate(graph, inputs)["y"]
    assert np.array_equal(y, np.where(zeros, graph.tensors["y"].zero_point, inputs["x0"]))
    graph = integer_graph(
        Mod(), [(300,), (300,)], {"x0": (-1, 1), "x1": (-1e-8, 1e-8), "y": (-1e-8, 1e-8)}, parse_scheme(dtype)
    )
    inputs = random_inputs(graph, 6)
    x, z, y = (
        values.astype(int) - graph.tensors[name].zero_point
        for name, values in (*inputs.items(), ("y", simulate(graph, inputs)["y"]))
    )
    assert ((np.sign(y) == np.sign(x)) | (y == 0)).all()
    assert (np.abs(y) <= np.abs(z)).all()


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (5,), (2, 3, 1, 1)])
def test_it_is_imported_with_every_broadcast(shape: tuple[int, ...]) -> None:
    check_import(model([node("Mod", ["x", "b"], "y", fmod=1)], {"x": (1, 3, 4, 5), "b": shape}), samples=1)
    proto = model([node("Mod", ["x", "b"], "y", fmod=1)], {"x": (1, 3, 4, 5)}, constants={"b": random(*shape) + 2})
    check_import(proto, samples=1)


def test_the_remainder_of_integers_is_refused() -> None:
    proto = model([node("Mod", ["x", "b"], "y", "n", fmod=0)], {"x": (2, 3)}, constants={"b": random(3)})
    assert refusal(proto) == (
        "Mod 'n': fmod=0 is for integers; use fmod=1, whose result has the sign of the first input"
    )
