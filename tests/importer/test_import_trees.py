"""Ensembles of decision trees, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, model, refusal

import mcuq

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
    ],
)
def test_a_regression_is_the_sum_of_its_leaves(proto: onnx.ModelProto) -> None:
    check_import(proto)


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
    assert refusal(regression(aggregate_function="MAX")) == (
        "TreeEnsembleRegressor 'trees': aggregate_function=MAX is not supported; use SUM or AVERAGE"
    )
    assert refusal(regression(post_transform="PROBIT")) == (
        "TreeEnsembleRegressor 'trees': post_transform=PROBIT is not supported; use NONE, LOGISTIC or SOFTMAX"
    )
    assert refusal(regression(mode="BRANCH_EQ")) == (
        "TreeEnsembleRegressor 'trees': nodes_modes BRANCH_EQ are not supported; use one of BRANCH_LEQ, BRANCH_LT, "
        "BRANCH_GTE, BRANCH_GT in all"
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
    proto = regression()
    tensor = numpy_helper.from_array(np.array([7.0], np.float32))
    proto.graph.node[0].attribute.append(helper.make_attribute("base_values_as_tensor", tensor))
    assert refusal(proto) == (
        "TreeEnsembleRegressor 'trees': base_values_as_tensor is not supported; "
        "export the trees with numbers of float32"
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
