"""GatherElements: C against the simulator, the simulator against float; GatherND, which is rows by flat indices."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, ints, model, node, original_outputs, random, refusal
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph

from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.passes import optimize
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))


def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    return [
        (GatherElements(0), [(5, 3), Whole((2, 3), -5, 4)]),
        (GatherElements(1), [(2, 6, 3), Whole((2, 4, 3), -6, 5)]),
        (GatherElements(2), [(2, 3, 4), np.array(rng.integers(-4, 4, (2, 3, 7)))]),
        (GatherElements(0), [rng.normal(size=(5, 3)), Whole((2, 3), 0, 4)]),
        (GatherElements(0), [Whole((200,), -70_000, 9), Whole((3,), -200, 199)]),
        (Gather(1), [(2, 6, 3), np.array([[0, 5], [-1, 3]])]),
    ]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases()), on)
    check_portable_c(integer_branches(cases(), scheme=INT16), on)
    check_floats(float_layers(cases()), on)


def test_simulator_gives_the_elements_of_the_float_meaning() -> None:
    for seed in range(3):
        check_float(integer_branches(cases(), seed), 0.0)
        check_float(integer_branches(cases(), seed, scheme=INT16), 0.0)


def test_indices_beyond_are_the_nearest() -> None:
    graph = integer_graph(GatherElements(0), [Whole((3,), 0, 9), Whole((5,), -9, 9)])
    x = {"x0": np.array([[5, 6, 7]], np.int8), "x1": np.array([[-9, -3, -1, 2, 9]], np.int8)}
    assert simulate(graph, x)["y"].tolist() == [[5, 5, 7, 7, 7]]


def test_import() -> None:
    layers = [
        node("GatherElements", ["x", "i"], "a", axis=1),
        node("GatherElements", ["x", "fixed"], "b", axis=-1),
        node("GatherElements", ["table", "i"], "c", axis=0),
        node("GatherND", ["x", "pairs"], "d"),
        node("GatherND", ["x", "i"], "e", batch_dims=1),
        node("GatherND", ["x", "constant"], "f"),
        node("GatherND", ["x", "more"], "g", batch_dims=1),
        node("GatherElements", ["i", "i"], "h", axis=1),
    ]
    outputs = {**dict.fromkeys("abcdefg", TensorProto.FLOAT), "h": TensorProto.INT64}
    constants = {
        "fixed": np.array([[0, 2, -1, 1]]),
        "table": random(4, 1),
        "constant": np.array([[0, -1], [1, 2]]),
        "more": np.array([[0], [-1]]),
    }
    proto = model(
        layers,
        {"x": (2, 4), "i": (2, 1), "pairs": (3, 2)},
        outputs,
        constants,
        kinds=dict.fromkeys(("i", "pairs"), TensorProto.INT64),
    )
    sample = {"x": random(2, 4), "i": np.array([[0], [-1]]), "pairs": np.array([[0, 1], [1, -4], [-1, 3]])}
    check_sample(proto, sample)


def check_sample(proto, sample) -> None:
    """As check_import, of one sample whose indices are within all that they choose from."""
    want = original_outputs(proto, sample)
    for graph in (imported(proto), optimize(imported(proto))):
        got = FloatModel(write_onnx(graph)).run(sample)
        for name, values in want.items():
            assert np.array_equal(got[name], values.astype(np.float32)), name


def test_what_is_not_supported() -> None:
    proto = model([node("GatherElements", ["x", "i"], "y", "pick", axis=0)], {"x": (2, 3), "i": (2, 4)}, kinds={"i": 7})
    assert refusal(proto) == "GatherElements 'pick': indices of shape [2, 4] do not fit data of shape [2, 3]"
    proto = model([node("GatherND", ["x", "i"], "y", "pick")], {"x": (2, 3), "i": (2, 3)}, kinds={"i": 7})
    assert refusal(proto) == "GatherND 'pick': indices of shape [2, 3] do not fit data of shape [2, 3]"
    proto = model([node("GatherND", ["x", "i"], "y", "pick")], {"x": (2, 3)}, constants={"i": ints(2, 0)})
    assert refusal(proto) == "GatherND 'pick': indices are beyond data of shape [2, 3]"


def test_rows_and_elements_of_constant_numbers() -> None:
    many = np.random.default_rng(0).permutation(200)
    layers = [
        node("Compress", ["x", "few"], "a"),
        node("Compress", ["x", "few"], "b", axis=-1),
        node("ReverseSequence", ["t", "lens"], "c"),
        node("ReverseSequence", ["t", "others"], "d", batch_axis=0, time_axis=1),
        node("Gather", ["w", "many"], "e", axis=1),
        node("Compress", ["n", "few"], "f", axis=1),
    ]
    outputs = {**dict.fromkeys("abcde", TensorProto.FLOAT), "f": TensorProto.INT64}
    constants = {
        "few": np.array([True, False, False, True]),
        "lens": ints(3, 0, 2),
        "others": ints(1, 3, 2, 0),
        "many": many,
    }
    shapes = {"x": (2, 5), "t": (4, 3, 2), "w": (2, 200), "n": (2, 4)}
    graph = check_import(model(layers, shapes, outputs, constants, kinds={"n": TensorProto.INT64}))
    assert sum(isinstance(layer.op, Gather) for layer in graph.layers()) == 3


def test_constants_that_do_not_fit() -> None:
    proto = model([node("Compress", ["x", "c"], "y", "keep", axis=0)], {"x": (2,)}, constants={"c": np.ones(3, bool)})
    assert refusal(proto) == "Compress 'keep': condition keeps element 2 of dimension 0, which has 2"
    proto = model([node("Compress", ["x", "c"], "y", "keep", axis=0)], {"x": (2,), "c": (2,)}, kinds={"c": 9})
    assert refusal(proto) == (
        "Compress 'keep': its condition is computed, on which the size of its output depends; use Mul or Where, which "
        "keep the shape, or --outputs to end before it"
    )
    proto = model([node("ReverseSequence", ["x", "n"], "y", "turn")], {"x": (2, 3)}, constants={"n": ints(1, 2, 3)})
    assert refusal(proto) == "ReverseSequence 'turn': sequence_lens=[1, 2, 3] must be 3 numbers up to 2"
    turn = node("ReverseSequence", ["x", "n"], "y", "turn", time_axis=1)
    proto = model([turn], {"x": (2, 3)}, constants={"n": ints(1, 2)})
    assert refusal(proto) == (
        "ReverseSequence 'turn': batch_axis=1 and time_axis=1 must be 0 and 1 of two dimensions or more"
    )
