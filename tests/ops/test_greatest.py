"""Greatest and Least: C against the simulator, the simulator against float; ONNX's Max and Min of three and more."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx_models import check_import, model, node, random
from support import Case, check_float, check_portable_c, integer_branches

from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Quant
from mcuq.ops.greatest import Greatest, Least
from mcuq.quantize.scheme import parse_scheme

BOUNDS = ((-inf, inf), (0.0, inf), (-0.4, 0.3))


def cases() -> list[Case]:
    """Up to eight terms, with limits."""
    return [
        (op(minimum=low, maximum=high), [(1, 4 + count)] * count)
        for count in range(3, 9)
        for op in (Greatest, Least)
        for low, high in [BOUNDS[count % len(BOUNDS)]]
    ]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases()), on)
    check_portable_c(integer_branches(cases(), scheme=parse_scheme("int16")), on)
    check_floats(float_layers(cases()), on)


def stated(layer: Layer) -> float:
    """Half a step, and what rounding the factors makes of the largest code."""
    assert isinstance(layer.op, Greatest)
    return 0.5 + (2**14 if layer.output.dtype == "int16" else 128) * 2.0 ** -layer.op.parameters(layer).shift


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_simulator_rounds_once(scheme: str) -> None:
    for seed in range(4):
        check_float(integer_branches(cases(), seed, scheme=parse_scheme(scheme)), stated)


def test_import() -> None:
    """Numbers are limits, tensors that broadcast come behind; of nine the ninth is taken with the greatest of eight."""
    nine = [f"n{i}" for i in range(9)]
    nodes = [
        node("Max", ["a", "b", "c"], "y0"),
        node("Min", ["a", "b", "c", "a"], "y1"),
        node("Max", ["row", "a", "b", "half", "c", "k"], "y2"),
        node("Min", nine, "y3"),
        node("Max", ["a", "row", "k"], "y4"),
        node("Min", ["a", "b", "c", "half"], "y5"),
    ]
    shapes = {**dict.fromkeys(("a", "b", "c", *nine), (2, 3)), "row": (3,)}
    outputs = [f"y{i}" for i in range(len(nodes))]
    constants = {"k": random(2, 3), "half": np.float32(0.5)}
    graph = check_import(model(nodes, shapes, outputs, constants), samples=1)
    found = [(type(layer.op), len(layer.inputs)) for layer in graph.layers() if isinstance(layer.op, Greatest)]
    assert sorted(found, key=lambda each: (each[0].__name__, each[1])) == [
        *((Greatest, 3), (Greatest, 3)),
        *((Least, 3), (Least, 3), (Least, 8)),
    ]


def test_what_does_not_fit_is_refused() -> None:
    graph = GraphBuilder("sum")
    a, b = graph.input("a", (2,)), graph.input("b", (3,))
    with pytest.raises(ModelError) as caught:
        graph.add(Least(), [a, a, b], "y")
    assert str(caught.value) == "Least 'y': takes 3 to 8 tensors of one shape, not [2] and [2] and [3]"
    quantized = integer_branches([(Greatest(), [(3,)] * 3)])
    (layer,) = (layer for layer in quantized.layers() if isinstance(layer.op, Greatest))
    far = replace(layer, output=replace(layer.output, quant=Quant((1e-9,), 0)))
    with pytest.raises(QuantizationError) as caught_too:
        layer.op.parameters(far)
    scales = ", ".join(f"{t.scale / 1e-9:g}" for t in layer.inputs)
    assert str(caught_too.value) == (
        f"{layer.where}: input scales are {scales} times the output's, too far apart for int32; check the "
        "calibration data"
    )
