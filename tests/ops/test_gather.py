"""Gather by computed indices: C against the simulator, the simulator against float; indices at and beyond both ends."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, ints, model, node, random, refusal
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Quant
from mcuq.ops.gather import Gather
from mcuq.quantize import Scheme, quantize_graph
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def cases() -> list[Case]:
    """Tables and computed tensors, along each dimension, by one index and by many, of int8, int16 and int32."""
    rng = np.random.default_rng(0)
    return [
        (Gather(0), [rng.normal(size=(9, 5)), Whole((1, 4), -9, 8)]),
        (Gather(1), [rng.normal(size=(3, 4, 5)), Whole((2,), -4, 3)]),
        (Gather(0), [rng.normal(size=(300, 1)), Whole((3, 1), -300, 299)]),
        (Gather(0), [(7, 3), Whole((4,), -7, 6)]),
        (Gather(1), [(2, 6, 17), Whole((), -6, 5)]),
        (Gather(2), [(2, 3, 40), Whole((2, 2), -40, 39)]),
        (Gather(0), [np.arange(7, dtype=np.int64) * 50 - 100, Whole((5,), -7, 6)]),
        (Gather(0), [Whole((7, 2), -5, 70_000), Whole((5,), 0, 2**24)]),
    ]


WITHIN = cases()[:-1]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(WITHIN), on)
    check_portable_c(integer_branches(WITHIN[:6], scheme=INT16), on)
    check_floats(float_layers(cases()), on)


def test_simulator_gives_the_rows_of_the_float_meaning() -> None:
    """A table is rounded to half a step; what is computed is moved as it is."""
    for seed in range(4):
        check_float(integer_branches(WITHIN, seed), 0.0)
        check_float(integer_branches(WITHIN, seed, scheme=INT16), 0.0)


def test_indices_beyond_are_the_nearest() -> None:
    graph = integer_graph(Gather(0), [np.arange(5, dtype=np.int64), Whole((7,), -100, 100)])
    x = np.array([[-100, -6, -5, -1, 4, 5, 100]], np.int8)
    assert simulate(graph, {"x1": x})["y"].tolist() == [[0, 0, 0, 4, 4, 4, 4]]


def test_a_table_has_a_scale_of_its_own_range() -> None:
    table = np.array([[-1.0, 3.0], [0.5, 2.0]])
    graph = integer_graph(Gather(0), [table, Whole((1,), 0, 1)])
    assert graph.tensors["y"].scale == pytest.approx(4 / 255)
    assert np.abs(graph.tensors["c0"].quantization.dequantize(graph.tensors["c0"].values) - table).max() < 2.1 / 255


def test_import() -> None:
    tables = {"t": random(6, 4), "labels": ints(40, -3, 70_000, 5)}
    layers = [
        node("Gather", ["t", "i"], "a"),
        node("Gather", ["x", "i"], "b", axis=1),
        node("Gather", ["labels", "k"], "c"),
        node("Reshape", ["k", "one"], "flat"),
        node("Gather", ["t", "flat"], "d", axis=-1),
    ]
    outputs = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT, "c": TensorProto.INT64, "d": TensorProto.FLOAT}
    kinds = {"i": TensorProto.INT64, "k": TensorProto.INT32}
    graph = check_import(
        model(layers, {"i": (2, 3), "k": (1, 2), "x": (2, 6)}, outputs, {**tables, "one": ints(2)}, kinds=kinds)
    )
    assert graph.tensors["c"].integers is not None


def test_indices_that_are_no_integers() -> None:
    proto = model([node("Gather", ["x", "x"], "y")], {"x": (3,)})
    assert refusal(proto) == "Gather 'y': indices must be a constant; export the model with fixed weights and shapes"


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_rows_of_a_quantized_table_keep_their_codes(kind: str) -> None:
    low = np.iinfo(kind).min
    table = (np.arange(24).reshape(6, 4) * 10 + low).astype(kind)
    zero = np.array(low + 100, kind)
    layers = [node("Gather", ["t", "i"], "q"), node("DequantizeLinear", ["q", "s", "z"], "y", "real")]
    constants = {"t": table, "s": np.float32(0.05), "z": zero}
    proto = model(layers, {"i": (3,)}, constants=constants, kinds={"i": TensorProto.INT64})
    graph = check_import(proto)
    assert graph.tensors["y"].quant == Quant((float(np.float32(0.05)),), 100 - 128)
    integer = quantize_graph(graph, {})
    codes = simulate(integer, {"i": np.array([[0, 5, -1]], integer.tensors["i"].dtype)})["y"]
    assert np.array_equal(codes[0], table[[0, 5, -1]].astype(int) - (128 if kind == "uint8" else 0))


def test_integers_that_are_computed_are_not_dequantized() -> None:
    layers = [node("DequantizeLinear", ["n", "s", "z"], "y", "real"), node("ArgMax", ["n"], "best", axis=0)]
    outputs = {"y": TensorProto.FLOAT, "best": TensorProto.INT64}
    constants = {"s": np.float32([0.5, 1]), "z": np.int8([0, 0]), "t": np.ones((3, 2), np.int8)}
    proto = model(
        [node("Gather", ["t", "i"], "n"), *layers], {"i": (3,)}, outputs, constants, kinds={"i": TensorProto.INT64}
    )
    assert refusal(proto) == (
        "DequantizeLinear 'real': has a scale for each index of dimension 1 of a table's rows; give the table one"
    )
    nodes = [
        node("Identity", ["n"], "m"),
        node("Sub", ["m", "one"], "q"),
        node("DequantizeLinear", ["q", "s"], "y", "real"),
    ]
    constants = {"s": np.float32(0.5), "one": np.uint8([1])}
    proto = model(nodes, {"n": (2,)}, constants=constants, kinds={"n": TensorProto.UINT8})
    assert refusal(proto) == (
        "DequantizeLinear 'real': dequantizes integers that are computed; supported are rows of a constant table; use "
        "Cast and Mul"
    )
