"""Control flow, sequences and operators that ONNX defines by others: what is known when compiling is spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, imported, ints, model, node, random, random_inputs, refusal, saved

import mcuq
from mcuq.importer import flattening
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel

X = {"x": (2, 3)}
OPTIONAL = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
TRUE = np.array(True)


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    weights: dict[str, np.ndarray] | None = None,
) -> onnx.GraphProto:
    """A body or a branch; nothing is said of its types."""
    stored = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    return helper.make_graph(
        nodes, "body", [onnx.ValueInfoProto(name=n) for n in inputs], [typed(n) for n in outputs], stored
    )


def typed(name: str) -> onnx.ValueInfoProto:
    """ONNX Runtime wants to know of outputs which are tensors."""
    kind = TensorProto.BOOL if name.startswith("cond") else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, None)


def loop(inputs: Sequence[str], outputs: Sequence[str], nodes: Sequence[onnx.NodeProto], **weights: np.ndarray):
    """A Loop over a state: its body reads `i`, `cond` and `state`, and gives `condition`, `next` and what `collected`
    names."""
    body = helper.make_graph(
        nodes,
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("cond", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [typed(name) for name in ("condition", "next", "collected")[: 1 + len(outputs)]],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return node("Loop", inputs, outputs, "loop", body=body)


STEP = [node("Mul", ["state", "w"], "next"), node("Relu", ["next"], "collected")]


def test_the_branch_that_is_taken_stands_in_the_place_of_an_if() -> None:
    """One by a constant, one by a shape; branches have weights, read what is around them, and lie in each other."""
    inner = node(
        "If",
        ["few"],
        "z",
        "inner",
        then_branch=graph([node("Relu", ["a"], "b")], outputs=["b"]),
        else_branch=graph([node("Neg", ["a"], "b")], outputs=["b"]),
    )
    nodes = [
        node("Relu", ["x"], "a", "first"),
        node("Shape", ["a"], "shape"),
        node("Gather", ["shape", "zero"], "rows"),
        node("Equal", ["rows", "two"], "few"),
        node(
            "If",
            ["yes"],
            "y",
            "outer",
            then_branch=graph([inner, node("Add", ["z", "w"], "sum")], outputs=["sum"], weights={"w": random(3)}),
            else_branch=graph([node("Sigmoid", ["x"], "s")], outputs=["s"]),
        ),
    ]
    graph_ = check_import(model(nodes, X, constants={"zero": np.array(0), "two": np.array(2), "yes": TRUE}))
    assert [n.names[-1] for n in graph_.nodes] == ["first", "outer/inner/b", "outer/sum"]


def computed(then: onnx.NodeProto, other: onnx.NodeProto, shape: Sequence[int] = ()) -> list[onnx.NodeProto]:
    """An If of whether the first element is above 0."""
    branches = {f"{side}_branch": graph([n], outputs=[n.output[0]]) for side, n in (("then", then), ("else", other))}
    return [
        node("Flatten", ["x"], "flat", axis=0),
        node("Slice", ["flat", "begin", "end", "last"], "first"),
        node("Reshape", ["first", "shape"], "one"),
        node("Greater", ["one", "zero"], "positive"),
        node("If", ["positive"], "y", "if", **branches),
    ]


def slicing(shape: Sequence[int]) -> dict[str, np.ndarray]:
    return {
        "begin": np.array([0]),
        "end": np.array([1]),
        "last": np.array([1]),
        "shape": np.array(shape, np.int64),
        "zero": np.array(0, np.float32),
    }


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_an_if_of_what_is_computed_has_both_branches(shape: Sequence[int]) -> None:
    nodes = computed(node("Relu", ["x"], "then"), node("Neg", ["x"], "other"))
    proto = model(nodes, X, constants=slicing(shape))
    result = check_import(proto, samples=12)
    firsts = {bool(random_inputs(result, seed)["x"].flat[0] > 0) for seed in range(12)}
    assert firsts == {False, True}
    with TemporaryDirectory() as folder:
        compiled = mcuq.compile(saved(proto, Path(folder)), "host")
        assert compiled.origin.notes[0] == (
            "If 'if' has a condition that is computed: both of its branches run, and one result is taken"
        )
        data = {"x": np.stack([random_inputs(result, seed)["x"] for seed in range(12)])}
        assert mcuq.run(compiled, data).report.bit_exact


def test_a_branch_that_would_fail_where_it_is_not_taken_changes_nothing() -> None:
    """Its result is not a number there."""
    nodes = computed(node("Sqrt", ["x"], "then"), node("Neg", ["x"], "other"))
    proto = model(nodes, {"x": (1,)}, constants=slicing(()))
    graph_ = imported(proto)
    written = FloatModel(write_onnx(graph_))
    for value, want in ((4.0, 2.0), (-9.0, 9.0)):
        assert written.run({"x": np.array([value], np.float32)})["y"] == [want]


def test_branches_of_a_computed_condition_must_give_one_shape() -> None:
    nodes = computed(node("Relu", ["x"], "then"), node("Flatten", ["x"], "other", axis=0))
    assert refusal(model(nodes, X, constants=slicing(()))) == (
        "If 'if': gives shape [2, 3] or [1, 6], as its condition says, which is computed from the model's inputs; both "
        "branches must give one shape"
    )


@pytest.mark.parametrize(
    "broken",
    [
        node("If", ["yes"], "y", "broken", then_branch=graph([node("Relu", ["x"], "b")], outputs=["b"])),
        node("If", ["yes"], "y", "broken", then_branch=7, else_branch=7),
        node("Loop", ["yes"], "y", "broken"),
        node("Scan", ["x"], "y", "broken", body=graph([], ["a"], ["a"]), num_scan_inputs=3),
        node("SequenceAt", [], "y", "broken"),
    ],
    ids=["no branch", "no graph", "no body", "too few inputs", "no inputs"],
)
def test_nodes_that_are_not_whole_are_refused(broken: onnx.NodeProto) -> None:
    proto = model([broken], X, constants={"yes": np.array(False)})
    reason = "is invalid: its inputs, attributes and bodies do not fit each other"
    assert refusal(proto) == f"{broken.op_type} 'broken': {reason}"


def test_a_loop_is_unrolled() -> None:
    """With what it collects; its number of iterations and its condition in each are known."""
    nodes = [
        loop(["five", "yes", "x"], ["last", "y"], [node("Identity", ["cond"], "condition"), *STEP], w=random(3)),
        # A condition that comes to an end, and the number of the iteration among the values.
        loop(
            ["", "yes", "x"],
            ["counted"],
            [
                node("Less", ["i", "three"], "condition"),
                node("Cast", ["i"], "number", to=TensorProto.FLOAT),
                node("Add", ["state", "number"], "next"),
            ],
            three=np.array(3),
        ),
    ]
    nodes[1].name = "until"
    found = check_import(model(nodes, X, ["last", "y", "counted"], {"five": np.array(5), "yes": TRUE}))
    assert found.tensors["y"].shape == (5, 2, 3)


def test_a_loop_that_collects_nothing_is_refused() -> None:
    body = [node("Identity", ["cond"], "condition"), *STEP]
    proto = model(
        [loop(["n", "yes", "x"], ["last", "y"], body, w=random(3))], X, ["y"], {"n": np.array(0), "yes": TRUE}
    )
    reason = "runs no iteration, so that what it collects is empty; leave it out"
    assert refusal(proto) == f"Loop 'loop': {reason}"


def test_a_loop_whose_condition_is_computed_is_refused() -> None:
    body = [node("ReduceMax", ["state"], "condition", keepdims=0), *STEP]
    proto = model(
        [loop(["n", "yes", "x"], ["last", "y"], body, w=random(3))], X, ["y"], {"n": np.array(4), "yes": TRUE}
    )
    assert refusal(proto) == (
        "Loop 'loop': its condition after iteration 1 is computed from the model's inputs; it must be constant"
    )


def test_what_keeps_a_condition_from_being_known_is_told() -> None:
    """Nothing is known of what an unsupported operator gives, and so not whether the loop goes on."""
    body = [node("Det", ["state"], "condition", "det"), *STEP]
    proto = model(
        [loop(["n", "yes", "x"], ["last", "y"], body, w=random(3))], X, ["y"], {"n": np.array(4), "yes": TRUE}
    )
    assert refusal(proto).startswith("net.onnx: operators that are not supported: Det ('loop/0/det'); supported: ")


def test_loops_that_become_too_large_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(flattening, "MOST_NODES", 20)
    body = [node("Identity", ["cond"], "condition"), *STEP]
    proto = model(
        [loop(["n", "yes", "x"], ["last", "y"], body, w=random(3))], X, ["y"], {"n": np.array(9), "yes": TRUE}
    )
    assert refusal(proto) == "net.onnx: has more than 20 nodes with its loops unrolled; give a smaller network"


def test_a_scan_goes_along_its_inputs() -> None:
    """Two inputs along axes of their own, one of them backwards; outputs along axes of their own, one backwards."""
    body = helper.make_graph(
        [
            node("Add", ["state", "a"], "sum"),
            node("Mul", ["sum", "b"], "next"),
            node("Relu", ["next"], "first"),
            node("Neg", ["next"], "second"),
        ],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("state", "a", "b")],
        [typed(name) for name in ("next", "first", "second")],
    )
    scan = node(
        "Scan",
        ["s", "x", "c"],
        ["last", "y", "z"],
        "scan",
        body=body,
        num_scan_inputs=2,
        scan_input_axes=[1, 0],
        scan_input_directions=[1, 0],
        scan_output_axes=[0, 1],
        scan_output_directions=[1, 0],
    )
    constants = {"c": random(3, 2, seed=1)}
    found = check_import(model([scan], {"s": (2,), **X}, ["last", "y", "z"], constants))
    assert (found.tensors["y"].shape, found.tensors["z"].shape) == ((3, 2), (2, 3))


def test_a_scan_of_opset_8_goes_along_each_sample() -> None:
    body = graph(
        [node("Add", ["state", "a"], "next"), node("Mul", ["next", "b"], "own")],
        ["state", "a", "b"],
        ["next", "own"],
    )

    def scan(lengths: str) -> onnx.ModelProto:
        inputs = [lengths, "s", "x", "z"]
        made = node("Scan", inputs, ["last", "y"], "scan", body=body, num_scan_inputs=2, directions=[0, 1])
        constants = {"whole": ints(3, 3), "short": ints(3, 2)}
        shapes = {"s": (2, 4), "x": (2, 3, 4), "z": (2, 3, 4)}
        return model([made], shapes, ["last", "y"], {lengths: constants[lengths]} if lengths else {}, opset=8)

    for lengths in ("", "whole"):
        found = check_import(scan(lengths))
        assert (found.tensors["last"].shape, found.tensors["y"].shape) == ((2, 4), (2, 3, 4))
    assert refusal(scan("short")) == (
        "Scan 'scan': has sequences of different lengths; give each a network of its own, or mask what is beyond"
    )


def test_a_loop_may_run_as_often_as_a_shape_says() -> None:
    """Counts and conditions that are made of sizes and constants are known."""
    nodes = [
        node("Shape", ["x"], "sizes"),
        node("Gather", ["sizes", "last"], "columns"),
        node("Sub", ["columns", "one"], "count"),
        node("Cast", ["count"], "yes", to=TensorProto.BOOL),
        loop(["count", "yes", "x"], ["last_state", "y"], [node("Identity", ["cond"], "condition"), *STEP], w=random(3)),
    ]
    constants = {"last": np.array(1), "one": np.array(1)}
    check_import(model(nodes, X, ["last_state", "y"], constants))


def test_sequences_are_known() -> None:
    nodes = [
        node("Relu", ["x"], "a"),
        node("SequenceConstruct", ["x", "a"], "two"),
        node("SequenceInsert", ["two", "x", "one"], "three"),
        node("SequenceErase", ["three", "one"], "again"),
        node("SequenceInsert", ["again", "x"], "more"),
        node("SequenceErase", ["more"], "less"),
        node("SequenceAt", ["less", "last"], "y0"),
        node("ConcatFromSequence", ["three"], "y1", axis=1),
        node("ConcatFromSequence", ["two"], "y2", axis=-1, new_axis=1),
        node("SequenceLength", ["three"], "count"),
        node("Cast", ["count"], "number", to=TensorProto.FLOAT),
        node("Mul", ["x", "number"], "y3"),
        node("SplitToSequence", ["x", "two_columns"], "columns", axis=1),
        node("SequenceAt", ["columns", "one"], "y4"),
        node("SplitToSequence", ["x", "listed"], "listed_columns", axis=-1),
        node("ConcatFromSequence", ["listed_columns"], "y5", axis=1),
        node("SplitToSequence", ["x"], "rows", keepdims=0),
        node("SequenceAt", ["rows", "last"], "y6"),
        node("SplitToSequence", ["x"], "kept"),
        node("SequenceAt", ["kept", "one"], "y7"),
        node("SequenceEmpty", [], "none"),
        node("SequenceInsert", ["none", "a"], "single"),
        node("SequenceAt", ["single", "zero"], "y8"),
        node("Optional", ["a"], "maybe"),
        node("OptionalHasElement", ["maybe"], "has"),
        node("OptionalGetElement", ["maybe"], "inside"),
        node(
            "If",
            ["has"],
            "y9",
            then_branch=graph([node("Neg", ["inside"], "n")], outputs=["n"]),
            else_branch=graph([node("Neg", ["x"], "n")], outputs=["n"]),
        ),
    ]
    integers = {"zero": 0, "one": 1, "last": -1, "two_columns": 2}
    constants = {name: np.array(value) for name, value in integers.items()} | {"listed": ints(1, 2)}
    found = check_import(model(nodes, X, [f"y{i}" for i in range(10)], constants, opset=18))
    assert found.tensors["y4"].shape == (2, 1)


def test_a_body_is_mapped_over_sequences() -> None:
    body = helper.make_graph(
        [node("Mul", ["a", "b"], "m"), node("Add", ["m", "c"], "s")],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("a", "b", "c")],
        [typed("s")],
    )
    nodes = [
        node("Relu", ["x"], "r"),
        node("SequenceConstruct", ["x", "r"], "first"),
        node("SequenceConstruct", ["r", "x"], "second"),
        node("SequenceMap", ["first", "second", "x"], "mapped", body=body),
        node("ConcatFromSequence", ["mapped"], "y", axis=0),
    ]
    check_import(model(nodes, X))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [node("SequenceConstruct", ["x", "x"], "y")],
            "net.onnx: output 'y' is a sequence; only tensors are supported",
        ),
        (
            [node("SequenceConstruct", ["x"], "s"), node("SequenceAt", ["s", "three"], "y", "at")],
            "SequenceAt 'at': position 3 is outside a sequence of 1",
        ),
        (
            [node("Optional", [], "o", type=OPTIONAL), node("OptionalGetElement", ["o"], "y", "get")],
            "OptionalGetElement 'get': reads an optional that holds nothing",
        ),
    ],
)
def test_what_sequences_cannot_be_is_refused(nodes, reason) -> None:
    assert refusal(model(nodes, X, constants={"three": np.array(3)}, opset=18)) == reason


def test_operators_that_onnx_defines_by_others_are_spelled_in_these() -> None:
    nodes = [
        node("CenterCropPad", ["x", "sizes"], "c", "crop", axes=[1]),
        node("CastLike", ["half", "x"], "h"),
        node("Mul", ["c", "h"], "y"),
    ]
    constants = {"sizes": ints(2), "half": np.array(0.5, np.float64)}
    check_import(model(nodes, X, constants=constants, opset=18))


def test_operators_that_onnx_has_for_trial_are_spelled_in_others() -> None:
    attention = onnx.helper.make_node("FlexAttention", ["q", "k", "k"], ["y"], "flex", domain="ai.onnx.preview")
    imports = [helper.make_opsetid("", 26), helper.make_opsetid("ai.onnx.preview", 1)]
    proto = model([attention], {"q": (1, 2, 3, 4), "k": (1, 2, 5, 4)}, opset_imports=imports)
    found = imported(proto)
    assert found.tensors["y"].shape == (1, 2, 3, 4)
    assert all(n.names[-1].startswith("flex/") or n.output == "y" for n in found.nodes)


def test_what_the_definition_is_made_of_is_named_where_it_is_not_supported() -> None:
    proto = model([node("Bernoulli", ["x"], "y", "coin")], X, opset=15)
    assert "RandomUniformLike ('coin/" in refusal(proto)


def test_branches_of_another_precision_are_float32_as_well() -> None:
    half = np.float16
    branch = graph([node("Mul", ["h", "w"], "m")], weights={"w": random(3).astype(half)})
    branch.output.append(helper.make_tensor_value_info("m", TensorProto.FLOAT16, None))
    nodes = [
        node("Cast", ["x"], "h", to=TensorProto.FLOAT16),
        node("If", ["yes"], "z", then_branch=branch, else_branch=branch),
        node("Cast", ["z"], "y", to=TensorProto.FLOAT),
    ]
    found = imported(model(nodes, X, constants={"yes": TRUE}))
    assert {t.dtype for t in found.tensors.values()} == {"float32"}
