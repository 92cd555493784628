"""IF of TensorFlow Lite files: the branch that is taken gives what TensorFlow Lite's interpreter gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from tflite_models import Node, T, constant, interpret, write

from mcuq.errors import McuqError
from mcuq.importer import import_model
from mcuq.onnx_io.provenance import NOTES, noted
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize

Branch = tuple[Mapping[str, T], Sequence[Node], Sequence[str], Sequence[str]]
WEIGHTS = np.random.default_rng(0).uniform(-1, 1, (3, 6)).astype(np.float32)
# Constants of a branch are given to it as its inputs.
DENSE: Branch = (
    {"x": T((1, 6)), "w": T((3, 6)), "b": constant(np.array([0.5, -1, 2], np.float32)), "y": T((1, 3))},
    [Node("FULLY_CONNECTED", "xwb", "y", "FullyConnectedOptions")],
    ("x", "w"),
    ("y",),
)
SLICED: Branch = (
    {
        "x": T((1, 6)),
        "w": T((3, 6)),
        "b": constant(np.array([0, 2], np.int32)),
        "s": constant(np.array([1, 3], np.int32)),
        "y": T((1, 3)),
    },
    [Node("SLICE", "xbs", "y")],
    ("x", "w"),
    ("y",),
)


def file(
    condition: Sequence[Node],
    branches: Sequence[Branch],
    numbers: tuple[int, int] = (1, 2),
    given: str = "cxw",
    **others: T,
) -> bytes:
    tensors = {
        "x": T((1, 6)),
        "w": constant(WEIGHTS),
        "c": T((1,), "bool"),
        "m": T((1,)),
        "a": constant(np.array([1], np.int32)),
        "z": constant(np.array([0.25], np.float32)),
        "y": T((1, 3)),
        **others,
    }
    options = {"thenSubgraphIndex": numbers[0], "elseSubgraphIndex": numbers[1]}
    return write(tensors, [*condition, Node("IF", given, "y", "IfOptions", options)], branches=branches)


COMPUTED = [
    Node("REDUCE_MAX", "xa", "m", "ReducerOptions", {"keepDims": False}),
    Node("GREATER", "mz", "c", "GreaterOptions"),
]


def refusal(data: bytes) -> str:
    with pytest.raises(McuqError) as caught:
        import_model(data)
    return str(caught.value)


def check(data: bytes) -> Any:
    """Against TensorFlow Lite, on inputs that take either branch; returns the ONNX model."""
    rng = np.random.default_rng(1)
    x = (rng.uniform(-1, 1, (20, 1, 6)) - np.linspace(0, 1, 20)[:, None, None]).astype(np.float32)
    assert {bool(v.max() > 0.25) for v in x} == {False, True}
    graph, model = import_model(data)
    wanted = interpret(data, {"x": x})["y"]
    for each in (graph, optimize(graph)):
        written = FloatModel(write_onnx(each))
        got = np.stack([written.run({"x": v})["y"] for v in x])
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    return model


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1), (1, 1)])
def test_the_branch_that_a_computed_condition_takes(numbers: tuple[int, int]) -> None:
    model = check(file(COMPUTED, [DENSE, SLICED], numbers))
    assert noted(model, NOTES) == (
        "IF 'y' has a condition that is computed: both of its branches run, and one result is taken"
    )


@pytest.mark.parametrize("value", [False, True])
def test_a_constant_condition_leaves_one_branch(value: bool) -> None:
    data = file([], [DENSE, SLICED], c=constant(np.array([value])))
    model = check(data)
    assert noted(model, NOTES) == ""
    kinds = {n.op_type for n in model.graph.node}
    assert ("Slice" in kinds, "MatMul" in kinds or "Gemm" in kinds) == (not value, value)


def test_a_branch_within_a_branch() -> None:
    inner: Branch = (
        {"x": T((1, 6)), "w": T((3, 6)), "a": COMPUTED_TENSORS["a"], "m": T((1,)), "h": COMPUTED_TENSORS["h"]}
        | {"d": T((1,), "bool"), "y": T((1, 3))},
        [
            Node("REDUCE_MIN", "xa", "m", "ReducerOptions", {"keepDims": False}),
            Node("GREATER", "mh", "d", "GreaterOptions"),
            Node("IF", "dxw", "y", "IfOptions", {"thenSubgraphIndex": 2, "elseSubgraphIndex": 3}),
        ],
        ("x", "w"),
        ("y",),
    )
    negated: Branch = (
        {"x": T((1, 6)), "w": T((3, 6)), "s": T((1, 3)), "b": SLICED[0]["b"], "n": SLICED[0]["s"], "y": T((1, 3))},
        [Node("SLICE", "xbn", "s"), Node("NEG", "s", "y")],
        ("x", "w"),
        ("y",),
    )
    check(file(COMPUTED, [inner, DENSE, negated], (1, 2)))


COMPUTED_TENSORS = {"a": constant(np.array([1], np.int32)), "h": constant(np.array([-0.9], np.float32))}


def test_what_is_refused() -> None:
    wide: Branch = ({"x": T((1, 6)), "w": T((3, 6)), "y": T((1, 6))}, [Node("NEG", "x", "y")], ("x", "w"), ("y",))
    within: Branch = (
        {"x": T((1, 6)), "w": T((3, 6)), "d": constant(np.array([True])), "y": T((1, 3))},
        [Node("IF", "dxw", "y", "IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 1})],
        ("x", "w"),
        ("y",),
    )
    unknown: Branch = ({"x": T((1, 6)), "w": T((3, 6)), "y": T((1, 3))}, [Node("WHERE", "x", "y")], ("x", "w"), ("y",))
    reading: Branch = (
        {"x": T((1, 6)), "w": T((3, 6)), "h": T((), "resource"), "y": T((1, 3))},
        [Node("VAR_HANDLE", "", "h", "VarHandleOptions"), Node("READ_VARIABLE", "h", "y", "ReadVariableOptions")],
        ("x", "w"),
        ("y",),
    )
    assert refusal(file(COMPUTED, [DENSE, wide])) == "IF 'y': gives shape [1, 3] by a branch that gives [1, 6]"
    assert refusal(file(COMPUTED, [within, DENSE])) == (
        "IF 'y/y': lies in branches of branches; at most 8 of them may, and none within itself"
    )
    assert refusal(file(COMPUTED, [DENSE, DENSE], given="cx")) == "IF 'y': has 1 inputs for a branch of 2"
    assert refusal(file(COMPUTED, [DENSE, DENSE], (1, 7))) == (
        "model: is cut short or damaged (it has no graph 7), 1,536 bytes; convert or copy it again"
    )
    assert refusal(file(COMPUTED, [DENSE, unknown])).startswith(
        "model: operators that are not supported: tflite.WHERE ('y/y_2'); supported: "
    )
    assert refusal(file(COMPUTED, [DENSE, reading])) == (
        "IF 'y': has a branch that reads or changes variables; only values may depend on its condition"
    )


def test_operators_of_one_name_have_their_own() -> None:
    """As of fused operators, of whose names the first part counts."""
    tensors = {"x": T((1, 6)), "n;a": T((1, 6)), "n;b": T((1, 6)), "y": T((1, 6))}
    nodes = [Node("NEG", ["x"], ["n;a"]), Node("EXP", ["n;a"], ["n;b"]), Node("ABS", ["n;b"], ["y"])]
    model = import_model(write(tensors, nodes))[1]
    assert [n.name for n in model.graph.node] == ["n", "n_2", "y"]
