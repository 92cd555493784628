"""Ensembles of decision trees, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from float_cases import FLOAT, check_floats
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, imported, model, original_outputs, refusal

import mcuq
from mcuq.graph.simulate import simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.compare import Compare
from mcuq.passes import optimize
from mcuq.quantize import insert_conversions, quantize_graph

X = {"x": (3, 4)}
IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]


def ensemble(
    op_type: str, trees: int, outputs: int, mode: str = "BRANCH_LEQ", low: float = -1.0, **attributes: Any
) -> onnx.NodeProto:
    """Random trees, up to four deep; each leaf weighs for all `outputs`."""
    rng = np.random.default_rng(trees)
    kind = "class" if op_type == "TreeEnsembleClassifier" else "target"
    nodes: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}

    def grow(tree: int, depth: int) -> int:
        own = sum(t == tree for t in nodes["treeids"])
        for name, value in zip(nodes, (tree, own, 0, "LEAF", 0.0, 0, 0), strict=True):
            nodes[name].append(value)
        row = len(nodes["modes"]) - 1
        if depth and (depth == 4 or rng.uniform() < 0.8):
            nodes["modes"][row], nodes["featureids"][row] = mode, int(rng.integers(4))
            nodes["values"][row] = float(rng.normal(0, 1))
            nodes["truenodeids"][row], nodes["falsenodeids"][row] = grow(tree, depth - 1), grow(tree, depth - 1)
        else:
            # ONNX Runtime leaves out the base value of what no leaf weighs for.
            for output in range(outputs):
                for name, value in zip(leaves, (tree, own, output, float(rng.uniform(low, 1))), strict=True):
                    leaves[name].append(value)
        return own

    for tree in range(trees):
        grow(tree, 4)
    given = {f"nodes_{name}": value for name, value in nodes.items()}
    given |= {f"{kind}_{name}": value for name, value in leaves.items()}
    named = ["label", "y"] if kind == "class" else ["y"]
    return helper.make_node(op_type, ["x"], named, "trees", domain="ai.onnx.ml", **given, **attributes)


def regression(outputs: int = 1, **attributes: Any) -> onnx.ModelProto:
    node = ensemble("TreeEnsembleRegressor", 5, outputs, n_targets=outputs, **attributes)
    return model([node], X, opset_imports=IMPORTS)


@pytest.mark.parametrize(
    "proto",
    [
        regression(),
        regression(3, base_values=[0.5, -0.25, 0.0], mode="BRANCH_LT"),
        regression(2, aggregate_function="AVERAGE", mode="BRANCH_GT", post_transform="LOGISTIC"),
        regression(2, aggregate_function="MIN"),
        regression(2, aggregate_function="MAX", base_values=[0.5, -0.25]),
    ],
)
def test_a_regression_is_the_sum_of_its_leaves(proto: onnx.ModelProto) -> None:
    check_import(proto)


def in_doubles(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same of float64 numbers, which are kept in tensors; they are those of float32."""
    given = {a.name: helper.get_attribute_value(a) for a in proto.graph.node[0].attribute}
    for name in ("nodes_values", "target_weights", "base_values"):
        values = np.array(given.pop(name), np.float32).astype(np.float64)
        given[f"{name}_as_tensor"] = numpy_helper.from_array(values)
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], "trees", domain="ai.onnx.ml", **given)
    return model([node], X, opset_imports=IMPORTS, kinds={"x": TensorProto.DOUBLE})


def test_numbers_may_be_of_float64() -> None:
    check_import(in_doubles(regression(2, base_values=[0.5, -0.25])))


def test_float64_features_at_a_threshold_decide_as_they_do_there() -> None:
    """Both are rounded to the nearest float32, which keeps them equal."""
    splits = np.array([0.1, 0.3, -0.7, 2.3, 1e-30])
    for mode in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"):
        proto = tables(mode, tensor_type=np.float64)
        given = {a.name: helper.get_attribute_value(a) for a in proto.graph.node[0].attribute}
        given["nodes_splits"] = numpy_helper.from_array(splits)
        made = helper.make_node("TreeEnsemble", ["x"], ["y"], "trees", domain="ai.onnx.ml", **given)
        kinds = {"x": TensorProto.DOUBLE}
        proto = model([made], X, {"y": TensorProto.DOUBLE}, opset=20, opset_imports=proto.opset_import, kinds=kinds)
        x = np.array([[0.1, 0.3, -0.7, 1e-30], [0.1, 2.3, -0.7, 2.3], [0.2, 0.3, -0.7, -1]])
        want = original_outputs(proto, {"x": x})["y"]
        got = FloatModel(write_onnx(imported(proto))).run({"x": x.astype(np.float32)})["y"]
        assert np.array_equal(got, want.astype(np.float32)), mode


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
@pytest.mark.parametrize("op_type", ["TreeEnsemble", "TreeEnsembleRegressor"])
def test_float32_features_next_to_float64_thresholds_decide_as_they_do_there(mode: str, op_type: str) -> None:
    """Of features that a Cast makes float64: those next to thresholds that float32 does not have, and these."""
    near = np.float32([0.1, 0.7, -0.7, 2.5, 1e-30])
    splits = np.array([0.1, 0.7, -0.7, 2.5, 1e-30])
    assert np.sign(near.astype(float) - splits).tolist() == [1, -1, 1, 0, 1]
    if op_type == "TreeEnsemble":
        proto = tables(mode, tensor_type=np.float64)
        given = {a.name: helper.get_attribute_value(a) for a in proto.graph.node[0].attribute}
        given["nodes_splits"] = numpy_helper.from_array(splits)
        imports, opset = proto.opset_import, 20
    else:
        proto = in_doubles(regression(2, base_values=[0.5, -0.25], mode=mode))
        given = {a.name: helper.get_attribute_value(a) for a in proto.graph.node[0].attribute}
        count = len(numpy_helper.to_array(given["nodes_values_as_tensor"]))
        given["nodes_values_as_tensor"] = numpy_helper.from_array(np.resize(splits, count))
        imports, opset = IMPORTS, 17
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node(op_type, ["wide"], ["y"], "trees", domain="ai.onnx.ml", **given),
    ]
    kind = TensorProto.DOUBLE if op_type == "TreeEnsemble" else TensorProto.FLOAT
    shape = (200, 4)
    proto = model(nodes, {"x": shape}, {"y": kind}, opset=opset, opset_imports=imports)
    rng = np.random.default_rng(0)
    x = rng.choice(near, shape)
    steps = rng.integers(-1, 2, shape)
    x = np.where(steps == 0, x, np.nextafter(x, np.where(steps > 0, np.inf, -np.inf).astype(np.float32)))
    want = original_outputs(proto, {"x": x})["y"]
    got = FloatModel(write_onnx(imported(proto))).run({"x": x})["y"]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def tables(*modes: str, tensor_type: type[np.floating[Any]] = np.float32, **attributes: Any) -> onnx.ModelProto:
    """TreeEnsemble of opset 5: two trees, of four branches and one leaf, and of one branch."""
    numbers = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
    of_nodes = np.array([numbers.index(mode) for mode in (modes * 5)[:5]], np.uint8)
    if "BRANCH_MEMBER" in modes:
        attributes["membership_values"] = numpy_helper.from_array(np.array([1, 2, np.nan] * 5, tensor_type))
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        "trees",
        domain="ai.onnx.ml",
        tree_roots=[0, 4],
        nodes_featureids=[0, 1, 2, 1, 3],
        nodes_splits=numpy_helper.from_array(np.array([0.25, -0.5, 0.75, 1.5, -2.0], tensor_type)),
        nodes_modes=numpy_helper.from_array(of_nodes),
        nodes_truenodeids=[1, 0, 1, 2, 4],
        nodes_trueleafs=[0, 1, 1, 1, 1],
        nodes_falsenodeids=[2, 3, 3, 3, 5],
        nodes_falseleafs=[0, 0, 1, 1, 1],
        leaf_targetids=[0, 1, 0, 1, 0, 1],
        leaf_weights=numpy_helper.from_array(np.array([1.5, -0.5, 2.0, 0.25, -1.0, 3.0], tensor_type)),
        n_targets=2,
        **attributes,
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5)]
    return model([node], X, opset=20, opset_imports=imports)


def test_trees_of_tables_are_the_same() -> None:
    check_import(tables("BRANCH_LEQ"))
    check_import(tables("BRANCH_LT", "BRANCH_LEQ", "BRANCH_GT", "BRANCH_GTE"))
    check_import(tables("BRANCH_LT", aggregate_function=0))


def classification(outputs: int, labels: list[int], **attributes: Any) -> onnx.ModelProto:
    node = ensemble("TreeEnsembleClassifier", 6, outputs, classlabels_int64s=labels, **attributes)
    return model([node], X, {"label": TensorProto.INT64, "y": TensorProto.FLOAT}, opset_imports=IMPORTS)


@pytest.mark.parametrize(
    "proto",
    [
        classification(3, [0, 1, 2], low=0.0, post_transform="SOFTMAX"),
        classification(3, [4, 0, 2], mode="BRANCH_GTE"),
        classification(1, [0, 1], post_transform="LOGISTIC"),
        classification(1, [0, 1]),
        classification(1, [0, 1], low=0.0),
        classification(1, [0, 1], low=0.0, base_values=[-3.3], post_transform="LOGISTIC"),
        classification(3, [0, 1, 2, 3], low=0.0),
        classification(1, [5, 3]),
    ],
)
def test_a_classification_is_the_largest_sum(proto: onnx.ModelProto) -> None:
    check_import(proto)


def tracking(proto: onnx.ModelProto, share: float, bounds: tuple[float, ...] = ()) -> onnx.ModelProto:
    """The same where so many of the nodes take NaN for what holds, the first of them with thresholds without bound."""
    (node,) = proto.graph.node
    values = next(a for a in node.attribute if a.name == "nodes_values")
    modes = next(a for a in node.attribute if a.name == "nodes_modes")
    branches = [place for place, mode in enumerate(modes.strings) if mode != b"LEAF"]
    for place, bound in zip(branches, bounds, strict=False):
        values.floats[place] = bound
    flags = (np.random.default_rng(8).uniform(size=len(values.floats)) < share).astype(int).tolist()
    node.attribute.append(helper.make_attribute("nodes_missing_value_tracks_true", flags))
    return proto


def mixed_modes() -> onnx.ModelProto:
    return tables("BRANCH_LT", "BRANCH_LEQ", "BRANCH_GT", "BRANCH_GTE", nodes_missing_value_tracks_true=[0, 1, 1, 0, 1])


@pytest.mark.parametrize(
    "proto",
    [
        tracking(regression(), 0.0),
        tracking(regression(mode="BRANCH_LT"), 0.5),
        tracking(regression(mode="BRANCH_GTE"), 0.5),
        tracking(regression(), 1.0),
        tracking(regression(), 0.5, (np.inf, -np.inf, np.inf, -np.inf)),
        tracking(regression(mode="BRANCH_LT"), 0.0, (np.inf, -np.inf, np.inf)),
        tracking(classification(3, [4, 0, 2]), 0.5),
        mixed_modes(),
    ],
)
def test_what_is_missing_goes_where_the_file_says(proto: onnx.ModelProto) -> None:
    """NaN was taken for what is above all thresholds, whatever the file said."""
    graph = optimize(imported(proto))
    floats = quantize_graph(insert_conversions(graph, FLOAT), {}, FLOAT)
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1.5, (64, 3, 4)).astype(np.float32)
    x[rng.uniform(size=x.shape) < 0.4] = np.nan
    got = simulate(floats, {"x": x})
    wanted = [original_outputs(proto, {"x": sample}) for sample in x]
    for name in floats.outputs:
        np.testing.assert_allclose(got[name], np.stack([w[name] for w in wanted]), atol=1e-5, err_msg=name)
    check_floats(floats)


def test_integers_are_never_missing() -> None:
    """What looks for NaN is left out of them, and whoever compiles is told."""
    proto = tracking(regression(), 0.5)
    note = (
        "'trees/filled' says what becomes of missing numbers (NaN), which integers do not have: fill them in before "
        "the network, or use --scheme float32"
    )
    samples = np.random.default_rng(0).normal(0, 1.5, (40, 3, 4)).astype(np.float32)
    whole = mcuq.compile(proto.SerializeToString(), board="host", calibration=samples)
    assert note in whole.origin.notes
    assert not any(isinstance(node.op, Compare) and node.op.relation == "==" for node in whole.graph.nodes)
    floats = mcuq.compile(proto.SerializeToString(), board="host", scheme="float32")
    assert note not in floats.origin.notes
    assert mcuq.run(whole, samples[:3]).report.bit_exact
    assert mcuq.simulate(whole, samples).report.outputs[0].sqnr_db > 15


def test_old_files_are_brought_to_operators_that_compare() -> None:
    """Of opset 9, as LightGBM's converter writes them."""
    proto = model(
        [ensemble("TreeEnsembleRegressor", 5, 1, n_targets=1)],
        X,
        opset=9,
        opset_imports=[helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx.ml", 1)],
    )
    check_import(proto)


def test_other_forms_are_refused() -> None:
    assert refusal(classification(2, [0, 1])) == (
        "TreeEnsembleClassifier 'trees': weighs both of two classes, for which runtimes give other labels; "
        "let its leaves weigh for one"
    )
    assert refusal(regression(aggregate_function="MEDIAN")) == (
        "TreeEnsembleRegressor 'trees': aggregate_function=MEDIAN is not supported; use AVERAGE, SUM, MIN, MAX"
    )
    missing = regression(2, aggregate_function="MIN")
    ids = next(a for a in missing.graph.node[0].attribute if a.name == "target_ids")
    ids.ints[0] = 1
    assert refusal(missing) == (
        "TreeEnsembleRegressor 'trees': has leaves that do not weigh for all outputs, of which aggregate_function=MIN "
        "chooses"
    )
    assert refusal(regression(post_transform="PROBIT")) == (
        "TreeEnsembleRegressor 'trees': post_transform=PROBIT is not supported; use NONE, LOGISTIC or SOFTMAX"
    )
    assert refusal(regression(mode="BRANCH_EQ")) == (
        "TreeEnsembleRegressor 'trees': nodes_modes BRANCH_EQ are not supported; use BRANCH_LEQ, BRANCH_LT, "
        "BRANCH_GTE, BRANCH_GT"
    )


def test_scores_that_runtimes_take_otherwise_are_refused() -> None:
    where = "TreeEnsembleClassifier 'trees': "
    assert refusal(classification(1, [0, 1], base_values=[0.3, 0.3])) == (
        where + "has 2 base_values; it must have one for each score, 1, or none"
    )
    assert refusal(classification(1, [0, 1], post_transform="SOFTMAX")) == (
        where + "has post_transform=SOFTMAX of two classes, which runtimes leave out; use NONE or LOGISTIC"
    )
    assert refusal(classification(3, [0, 1, 2, 3])) == (
        where + "has a score that not all samples have; let all leaves of one tree weigh for it"
    )
    for transform in ("LOGISTIC", "SOFTMAX"):
        assert refusal(regression(post_transform=transform)) == (
            f"TreeEnsembleRegressor 'trees': post_transform={transform} of one score is left out by runtimes; "
            "use NONE and a standard operator"
        )
    assert refusal(classification(1, [0])) == where + "has 1 label; it must have two or more"
    assert refusal(tables("BRANCH_LEQ", post_transform=2)) == (
        "TreeEnsemble 'trees': post_transform=2 is numbered otherwise by ONNX than by runtimes; "
        "use 0 and a standard operator"
    )
    assert refusal(tables("BRANCH_MEMBER")) == (
        "TreeEnsemble 'trees': nodes_modes BRANCH_MEMBER are not supported; use BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, "
        "BRANCH_GT"
    )


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_trees_are_walked_to_the_same_leaves_on_every_cpu(board: str) -> None:
    """In 16 bits each decision here is that of floats; in 8 bits those near a threshold need not be."""
    samples = np.random.default_rng(0).normal(0, 1.5, (40, 3, 4)).astype(np.float32)
    for scheme in ("float32", "int8", "int16"):
        compiled = mcuq.compile(
            classification(3, [4, 0, 2]).SerializeToString(), board=board, calibration=samples, scheme=scheme
        )
        assert mcuq.run(compiled, samples[:3]).report.bit_exact
        if scheme != "int8":
            label, scores = mcuq.simulate(compiled, samples).report.outputs
            assert label.sqnr_db == np.inf
            assert scores.sqnr_db > 75
