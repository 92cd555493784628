"""Total: C against the simulator, the simulator against float; ONNX's Sum and Mean."""

from __future__ import annotations

from math import inf

import pytest
from float_cases import check_floats, float_layers
from onnx_models import check_import, imported, model, node, random
from support import Case, check_float, check_portable_c, integer_branches, with_ranges

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.ops.total import Total
from mcuq.quantize.scheme import parse_scheme

BOUNDS = ((-inf, inf), (0.0, inf), (-0.4, 0.3))


def cases() -> list[Case]:
    """Sizes around words and vectors, with limits and factors."""
    return [
        (Total(factor, minimum=low, maximum=high), [(1, size)] * count)
        for count in (3, 4)
        for i, size in enumerate((1, 3, 4, 5, 8, 9))
        for factor in ((1.0, 1 / count) if i % 2 else (1.0,))
        for low, high in [BOUNDS[(i + count) % len(BOUNDS)]]
    ]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases()), on)
    check_portable_c(integer_branches(cases(), scheme=parse_scheme("int16")), on)
    check_floats(float_layers(cases()), on)


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_simulator_rounds_once(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(cases(), seed, scheme=parse_scheme(scheme)), 0.51)


def test_terms_may_be_one_tensor() -> None:
    graph = imported(model([node("Sum", ["x", "x", "z"], "y")], {"x": (5,), "z": (5,)}))
    assert [type(layer.op) for layer in graph.layers()] == [Total]
    check_float(with_ranges(graph), 0.51)
    check_portable_c(with_ranges(graph), "host")


def test_import() -> None:
    """Constants and what broadcasts are added behind; nine terms are three sums."""
    nine = [f"n{i}" for i in range(9)]
    nodes = [
        node("Sum", ["a", "b", "c"], "y0"),
        node("Mean", ["a", "b", "c", "d"], "y1"),
        node("Sum", ["row", "a", "b", "k", "c"], "y2"),
        node("Mean", ["a", "b", "c", "k"], "y3"),
        node("Sum", nine, "y4"),
        node("Mean", nine, "y5"),
        node("Sum", ["a", "row", "k"], "y6"),
        node("Relu", ["y0"], "y7"),
    ]
    shapes = {**dict.fromkeys(("a", "b", "c", "d", *nine), (2, 3)), "row": (3,)}
    outputs = [f"y{i}" for i in range(len(nodes))]
    graph = check_import(model(nodes, shapes, outputs, {"k": random(2, 3)}), samples=1)
    totals = [len(layer.inputs) for layer in graph.layers() if isinstance(layer.op, Total)]
    assert sorted(totals) == [3, 3, 3, 3, 3, 4, 4, 4, 4, 4]


def test_other_terms_are_refused() -> None:
    graph = GraphBuilder("sum")
    a, b = graph.input("a", (2,)), graph.input("b", (3,))
    with pytest.raises(ModelError) as caught:
        graph.add(Total(), [a, a, b], "y")
    assert str(caught.value) == "Total 'y': takes 3 to 4 tensors of one shape, not [2] and [2] and [3]"


def test_scales_that_no_factor_reaches_are_refused() -> None:
    graph = integer_branches([(Total(), [(3,)] * 3)])
    (layer,) = (layer for layer in graph.layers() if isinstance(layer.op, Total))
    factor = 1e9
    with pytest.raises(QuantizationError) as caught:
        Total(factor).parameters(layer)
    scales = ", ".join(f"{factor * t.scale / layer.output.scale:g}" for t in layer.inputs)
    assert str(caught.value) == (
        f"{layer.where}: input scales are {scales} times the output's, too far apart for int32; check the "
        "calibration data"
    )
