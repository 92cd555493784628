"""Operators of classic machine learning, each against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from float_cases import FLOAT, check_floats
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, imported, ints, model, original_outputs, random, refusal

import mcuq
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.importer import read_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import insert_conversions, quantize_graph

X = {"x": (2, 4)}
IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
WEIGHTS = random(3, 4).reshape(-1).tolist()
INTERCEPTS = [0.25, -0.5, 0.125]
VECTORS = random(5, 4, seed=1).reshape(-1).tolist()
SUPPORT = {"n_supports": 5, "support_vectors": VECTORS, "coefficients": random(5).tolist(), "rho": [0.375]}


def node(op_type: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, outputs, outputs[0], domain="ai.onnx.ml", **attributes)


def test_regressions_and_what_prepares_features_are_spelled_in_operators_of_networks() -> None:
    nodes = [
        node("Scaler", ["x"], ["scaled"], offset=[0.5, 1.0, -1.0, 0.0], scale=[2.0, 0.5, 1.0, 3.0]),
        node("Scaler", ["x"], ["scaled_alike"], offset=[0.5], scale=[2.0]),
        node("Normalizer", ["x"], ["l1"], norm="L1"),
        node("Normalizer", ["x"], ["l2"], norm="L2"),
        node("Normalizer", ["x"], ["largest"], norm="MAX"),
        node("FeatureVectorizer", ["x", "scaled"], ["joined"], inputdimensions=[4, 4]),
        node("ArrayFeatureExtractor", ["x", "picked"], ["features"]),
        node("Binarizer", ["x"], ["binary"], threshold=0.25),
        node("LinearRegressor", ["x"], ["single"], coefficients=WEIGHTS[:4], intercepts=[0.75]),
        node("LinearRegressor", ["x"], ["several"], coefficients=WEIGHTS, targets=3),
        node("SVMRegressor", ["x"], ["svm_rbf"], kernel_type="RBF", kernel_params=[0.25, 0.0, 3.0], **SUPPORT),
        node("SVMRegressor", ["x"], ["svm_linear"], kernel_type="LINEAR", kernel_params=[0.0, 0.0, 3.0], **SUPPORT),
        node("SVMRegressor", ["x"], ["svm_poly"], kernel_type="POLY", kernel_params=[0.5, 0.25, 2.0], **SUPPORT),
        node("SVMRegressor", ["x"], ["svm_tanh"], kernel_type="SIGMOID", kernel_params=[0.5, 0.25, 3.0], **SUPPORT),
    ]
    outputs = [n.output[0] for n in nodes]
    check_import(model(nodes, X, outputs, {"picked": ints(2, 0)}, opset_imports=IMPORTS))


def test_features_may_be_picked_by_computed_indices() -> None:
    """Of a row of constants: labels, as scikit-learn's converter finds them."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["best"], "best", axis=1),
        node("ArrayFeatureExtractor", ["labels", "best"], ["label"]),
    ]
    constants = {"labels": np.array([5, -3, 8, 0], np.int64)}
    check_import(model(nodes, X, {"label": TensorProto.INT64}, constants, opset_imports=IMPORTS))


def test_a_constant_may_be_a_label_and_an_axis() -> None:
    """A layer that reads integers as axes does not compute with them."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["best"], "best", axis=1),
        helper.make_node("Equal", ["best", "one"], ["hit"], "hit"),
        helper.make_node("Cast", ["hit"], ["hits"], "hits", to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["hits", "one"], ["y"], "y"),
    ]
    check_import(model(nodes, X, constants={"one": ints(1)}))


def test_what_is_missing_is_another_value() -> None:
    inf, nan = float("inf"), float("nan")
    each = [1.0, 2.0, 3.0, 4.0]
    nodes = [
        node("Imputer", ["x"], ["nan"], imputed_value_floats=each, replaced_value_float=nan),
        node("Imputer", ["x"], ["code"], imputed_value_floats=[-9.0], replaced_value_float=0.0),
        node("Imputer", ["x"], ["largest"], imputed_value_floats=[7.0], replaced_value_float=inf),
        node("Imputer", ["x"], ["least"], imputed_value_floats=[7.0], replaced_value_float=-inf),
    ]
    names = [n.output[0] for n in nodes]
    proto = model(nodes, X, names, opset_imports=IMPORTS)
    graph = check_import(proto)
    x = np.array([[nan, 0.0, inf, -inf], [1.0, nan, 0.0, nan]], np.float32)
    written, wanted = FloatModel(write_onnx(graph)).run({"x": x}), original_outputs(proto, {"x": x})
    for name in names:
        np.testing.assert_array_equal(written[name], wanted[name])


def test_integers_may_be_missing() -> None:
    made = node("Imputer", ["x"], ["y"], imputed_value_int64s=[4], replaced_value_int64=-1)
    kinds = {"x": TensorProto.INT64}
    check_import(model([made], X, {"y": TensorProto.INT64}, opset_imports=IMPORTS, kinds=kinds))


def test_integers_may_be_encoded_as_other_numbers() -> None:
    """The first of equal keys counts, and what is no key has a default."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["best"], "best", axis=1),
        node("LabelEncoder", ["best"], ["whole"], keys_int64s=[2, 0, 2], values_int64s=[-7, 30, 5], default_int64=9),
        node("LabelEncoder", ["best"], ["real"], keys_int64s=[1, 3], values_floats=[0.5, -2.0], default_float=1.5),
        node("LabelEncoder", ["best"], ["plain"], keys_int64s=[1], values_int64s=[4]),
    ]
    kinds = {"whole": TensorProto.INT64, "real": TensorProto.FLOAT, "plain": TensorProto.INT64}
    check_import(model(nodes, {"x": (6, 4)}, kinds, opset_imports=IMPORTS))
    tensors = {
        "keys_tensor": numpy_helper.from_array(ints(0, 2)),
        "values_tensor": numpy_helper.from_array(np.array([0.25, -3], np.float32)),
        "default_tensor": numpy_helper.from_array(np.array([8], np.float32)),
    }
    nodes = [nodes[0], node("LabelEncoder", ["best"], ["y"], **tensors)]
    check_import(model(nodes, {"x": (6, 4)}, opset_imports=[IMPORTS[0], helper.make_opsetid("ai.onnx.ml", 4)]))


def machine(sizes: list[int], labels: list[int], kernel: str = "RBF", **attributes: Any) -> onnx.ModelProto:
    """A SVMClassifier of random support vectors."""
    count, classes = sum(sizes), len(sizes)
    given: dict[str, Any] = {
        "vectors_per_class": sizes,
        "support_vectors": random(count, 4, seed=2).reshape(-1).tolist(),
        "coefficients": random(classes - 1, count, seed=3).reshape(-1).tolist(),
        "rho": random(classes * (classes - 1) // 2, seed=4, low=-0.3, high=0.3).tolist(),
        "kernel_type": kernel,
        "kernel_params": [0.125, 0.25, 2.0],
        "classlabels_ints": labels,
        **attributes,
    }
    kinds = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}
    return model([node("SVMClassifier", ["x"], ["label", "scores"], **given)], X, kinds, opset_imports=IMPORTS)


@pytest.mark.parametrize(
    "proto",
    [
        machine([3, 2, 4], [0, 1, 2]),
        machine([2, 1, 3, 2], [5, -1, 3, 9], "LINEAR"),
        machine([3, 4], [0, 1], "SIGMOID"),
        machine([1, 2], [0, 1], coefficients=[0.5, 0.25, 0.75]),
    ],
    ids=["three", "four", "two", "positive"],
)
def test_support_vectors_of_each_pair_of_classes_vote(proto: onnx.ModelProto) -> None:
    check_import(proto, samples=8)


def test_two_classes_have_the_probabilities_that_runtimes_search_for() -> None:
    """They stop within 0.0025 of them."""
    proto = machine([3, 4], [2, 7], "POLY", prob_a=[-1.5], prob_b=[0.25])
    x = random(2, 4, seed=5)
    sums = original_outputs(machine([3, 4], [2, 7], "POLY"), {"x": x})["scores"]
    second = 1 / (1 + np.exp(1.5 * sums[:, 1:] - 0.25))
    theirs, ours = original_outputs(proto, {"x": x}), FloatModel(write_onnx(imported(proto))).run({"x": x})
    np.testing.assert_allclose(ours["scores"], np.concatenate([1 - second, second], 1), atol=1e-6)
    np.testing.assert_allclose(ours["scores"], theirs["scores"], atol=2.5e-3)
    assert ours["label"].tolist() == theirs["label"].tolist()


def classifier(**attributes: Any) -> onnx.ModelProto:
    kinds = {"label": TensorProto.INT64, "scores": TensorProto.FLOAT}
    nodes = [node("LinearClassifier", ["x"], ["label", "scores"], coefficients=WEIGHTS, **attributes)]
    return model(nodes, X, kinds, opset_imports=IMPORTS)


@pytest.mark.parametrize("post_transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_a_classifier_gives_a_label_and_scores(post_transform: str) -> None:
    check_import(classifier(classlabels_ints=[0, 1, 2], intercepts=INTERCEPTS, post_transform=post_transform))


def test_labels_need_not_count_from_0() -> None:
    check_import(classifier(classlabels_ints=[7, -2, 40], intercepts=INTERCEPTS))


def test_texts_are_their_indices_and_a_dictionary_its_values() -> None:
    """The model that ONNX Runtime is given computes the same."""
    nodes = [
        node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            coefficients=WEIGHTS,
            intercepts=INTERCEPTS,
            classlabels_strings=["cat", "dog", "eel"],
        ),
        node("ZipMap", ["scores"], ["y"], classlabels_strings=["cat", "dog", "eel"]),
    ]
    proto = model(nodes, X, ["label", "y"], opset_imports=IMPORTS)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    proto.graph.output[1].type.CopyFrom(onnx.TypeProto(sequence_type=onnx.TypeProto.Sequence()))
    given = read_model(proto)
    x = random(2, 4, seed=2)
    found = original_outputs(given, {"x": x})
    scores = x @ np.reshape(WEIGHTS, (3, 4)).T.astype(np.float32) + np.array(INTERCEPTS, np.float32)
    np.testing.assert_allclose(found["y"], scores, atol=1e-5)
    assert found["label"].tolist() == scores.argmax(axis=1).tolist()
    check_import(given)


def test_a_model_of_these_operators_alone_imports_no_others() -> None:
    proto = model([node("Scaler", ["x"], ["y"], scale=[2.0])], X, opset_imports=IMPORTS[1:])
    assert imported(proto).outputs == ("y",)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            node("LinearClassifier", ["x"], ["label", "y"], coefficients=WEIGHTS[:4], classlabels_ints=[0]),
            "LinearClassifier 'label': has 1 labels of integers and 0 intercepts; it must have one score a label",
        ),
        (
            node("LinearRegressor", ["x"], ["y"], coefficients=WEIGHTS[:4], post_transform="PROBIT"),
            "LinearRegressor 'y': post_transform=PROBIT is not supported; use NONE, LOGISTIC or SOFTMAX",
        ),
        (
            node("LinearRegressor", ["x"], ["y"], coefficients=WEIGHTS[:4], post_transform="LOGISTIC"),
            "LinearRegressor 'y': post_transform=LOGISTIC of one score is left out by runtimes; use NONE and a "
            "standard operator",
        ),
        (node("Normalizer", ["x"], ["y"], norm="L3"), "Normalizer 'y': norm=L3 is not supported; use MAX, L1 or L2"),
        (
            node("FeatureVectorizer", ["x"], ["y"], inputdimensions=[3]),
            "FeatureVectorizer 'y': inputdimensions=[3] are not those of its inputs",
        ),
        (
            node("SVMRegressor", ["x"], ["y"], one_class=1, **SUPPORT),
            "SVMRegressor 'y': one_class=1 is not supported; use a regression",
        ),
        (
            node("SVMRegressor", ["x"], ["y"], kernel_type="COSINE", **SUPPORT),
            "SVMRegressor 'y': kernel_type=COSINE is not supported; use LINEAR, POLY, RBF or SIGMOID",
        ),
    ],
)
def test_other_forms_are_refused(made: onnx.NodeProto, reason: str) -> None:
    assert refusal(model([made], X, [made.output[0]], opset_imports=IMPORTS)) == reason


def support_vectors(
    classes: int, kernel: str = "RBF", probabilities: bool = False, **attributes: Any
) -> onnx.NodeProto:
    """2, 3, ... support vectors a class."""
    sizes = [*range(2, 2 + classes)]
    pairs = classes * (classes - 1) // 2
    given: dict[str, Any] = {
        "classlabels_ints": [*range(classes)],
        "kernel_type": kernel,
        "kernel_params": [0.25, 0.5, 2.0],
        "vectors_per_class": sizes,
        "support_vectors": random(sum(sizes), 4, seed=4).reshape(-1).tolist(),
        "coefficients": random(classes - 1, sum(sizes), seed=5).reshape(-1).tolist(),
        "rho": random(pairs, seed=6, low=-0.2, high=0.2).tolist(),
    }
    if probabilities:
        given |= {"prob_a": random(pairs, low=-6, high=-4).tolist(), "prob_b": random(pairs, seed=1).tolist()}
    return node("SVMClassifier", ["x"], ["label", "y"], **{**given, **attributes})


LABELLED = {"label": TensorProto.INT64, "y": TensorProto.FLOAT}


@pytest.mark.parametrize(
    "made",
    [
        support_vectors(2),
        support_vectors(2, "LINEAR", post_transform="LOGISTIC"),
        support_vectors(3, "POLY", post_transform="SOFTMAX"),
        support_vectors(3, "SIGMOID", classlabels_ints=[5, -1, 2]),
        support_vectors(4, "LINEAR"),
        support_vectors(5, post_transform="LOGISTIC"),
        node(
            "SVMClassifier",
            ["x"],
            ["label", "y"],
            classlabels_ints=[0, 1, 2],
            coefficients=WEIGHTS,
            rho=[0.25],
            kernel_params=[0.0, 0.0, 3.0],
        ),
    ],
)
def test_support_vectors_vote_in_pairs(made: onnx.NodeProto) -> None:
    check_import(model([made], {"x": (8, 4)}, LABELLED, opset_imports=IMPORTS))


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 7])
def test_probabilities_of_support_vectors_are_those_that_fit_all_pairs(classes: int) -> None:
    """Runtimes iterate until a residue is below 0.005 over the classes, and are as far from what solves it."""
    proto = model([support_vectors(classes, probabilities=True)], {"x": (64, 4)}, LABELLED, opset_imports=IMPORTS)
    graph = imported(proto)
    x = random(64, 4, seed=7, low=-3, high=3)
    wanted, got = original_outputs(proto, {"x": x}), FloatModel(write_onnx(graph)).run({"x": x})
    assert got["label"].tolist() == wanted["label"].tolist()
    assert np.ptp(got["y"], axis=0).max() > (0.4 if classes < 4 else 0.1)
    np.testing.assert_allclose(got["y"], wanted["y"], rtol=0, atol=0.005)
    np.testing.assert_allclose(got["y"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("classes", [3, 4, 6])
def test_the_probabilities_of_more_classes_solve_what_they_are_of(classes: int) -> None:
    """Q p is the same for each class, Q of the probabilities of pairs."""
    made = support_vectors(classes, probabilities=True)
    graph = imported(model([made], {"x": (16, 4)}, LABELLED, opset_imports=IMPORTS))
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    builder = GraphBuilder(graph)
    won = next(
        name for name in graph.tensors if name.startswith("label/won") and graph.tensors[name].shape == (16, len(pairs))
    )
    builder.outputs = ["y", won]
    found = FloatModel(write_onnx(builder.graph())).run({"x": random(16, 4, seed=7, low=-3, high=3)})
    for p, of_pairs in zip(found["y"].astype(float), found[won].astype(float), strict=True):
        r = np.zeros((classes, classes))
        for (i, j), value in zip(pairs, of_pairs, strict=True):
            r[i, j], r[j, i] = value, 1 - value
        q = np.diag((r**2).sum(axis=0)) - r * r.T
        assert np.ptp(q @ p) < 1e-5


def test_labels_can_be_had_without_probabilities() -> None:
    """Of many classes these are refused, and the labels are not."""
    nodes = [support_vectors(17, probabilities=True)]
    assert refusal(model(nodes, X, LABELLED, opset_imports=IMPORTS)) == (
        "SVMClassifier 'label': has probabilities of 17 classes; supported are 16: compile the labels alone "
        "(--outputs), or export it without probabilities"
    )
    check_import(model(nodes, X, {"label": TensorProto.INT64}, opset_imports=IMPORTS))


def test_categories_are_encoded() -> None:
    nodes = [
        node("LabelEncoder", ["n"], ["a"], keys_int64s=[3, -5, 3, 7], values_int64s=[10, 20, 30, 40], default_int64=-9),
        node("LabelEncoder", ["n"], ["b"], keys_int64s=[1, 2], values_floats=[0.5, -2.5], default_float=7.0),
        node("OneHotEncoder", ["n"], ["c"], cats_int64s=[3, -5, 3, 2]),
        node("OneHotEncoder", ["x"], ["d"], cats_int64s=[-1, 0, 1]),
        node("Imputer", ["n"], ["e"], imputed_value_int64s=[4], replaced_value_int64=3),
    ]
    outputs = {**dict.fromkeys("ae", TensorProto.INT64), **dict.fromkeys("bcd", TensorProto.FLOAT)}
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 4)]
    kinds = {"n": TensorProto.INT64}
    proto = model(nodes, {"n": (4, 16), "x": (2, 4)}, outputs, opset_imports=imports, kinds=kinds)
    graph = imported(proto)
    fed = {"n": np.arange(-8, 56).reshape(4, 16).astype(np.float32), "x": random(2, 4, seed=3, low=-3, high=3)}
    wanted, got = original_outputs(proto, fed), FloatModel(write_onnx(graph)).run(fed)
    for name, value in wanted.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize("marker", [np.nan, np.inf, -np.inf, 0.0])
def test_what_is_missing_is_filled_in(marker: float) -> None:
    made = node("Imputer", ["x"], ["y"], imputed_value_floats=[1.0, 2.0, 3.0, 4.0], replaced_value_float=marker)
    proto = model([made], X, opset_imports=IMPORTS)
    floats = quantize_graph(insert_conversions(optimize(imported(proto)), FLOAT), {}, FLOAT)
    x = np.array([[np.nan, np.inf, -np.inf, 0.0], [0.0, np.nan, 5.0, np.inf]], np.float32)
    np.testing.assert_array_equal(simulate(floats, {"x": x[None]})["y"][0], original_outputs(proto, {"x": x})["y"])
    check_floats(floats)


def test_texts_go_through_what_moves_and_encodes_them() -> None:
    """From numbers, from labels, and picked from a weight, as scikit-learn's exports do."""
    texts = numpy_helper.from_array(np.array(["cat", "dog", "eel", "dog"], object), "texts")
    nodes = [
        helper.make_node("ArgMax", ["x"], ["index"], axis=1, keepdims=0),
        node("ArrayFeatureExtractor", ["texts", "index"], ["picked"]),
        helper.make_node("Reshape", ["picked", "shape"], ["a"]),
        node("LabelEncoder", ["index"], ["b"], keys_int64s=[0, 2], values_strings=["low", "high"], default_string="?"),
        node("LabelEncoder", ["a"], ["c"], keys_strings=["dog", "owl"], values_int64s=[5, 6], default_int64=1),
        helper.make_node("Cast", ["b"], ["d"], to=TensorProto.STRING),
        node("CategoryMapper", ["index"], ["e"], cats_int64s=[1, 2], cats_strings=["one", "two"]),
    ]
    kinds = {**dict.fromkeys("abde", TensorProto.STRING), "c": TensorProto.INT64}
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    proto = model(nodes, {"x": (6, 4)}, kinds, {"texts": texts, "shape": ints(6)}, opset_imports=imports)
    fed = {"x": random(6, 4, seed=9)}
    wanted = original_outputs(proto, fed)
    compiled = mcuq.compile(proto.SerializeToString(), board="host", calibration=fed["x"][None])
    got = FloatModel(compiled.onnx_model).run(fed)
    names = {"a": ["cat", "dog", "eel"], "b": ["low", "high", "?"], "e": ["one", "two", "_Unused"]}
    names["d"] = names["b"]
    for output, listed in names.items():
        assert [listed[int(index)] for index in got[output]] == wanted[output].tolist(), output
    assert got["c"].tolist() == wanted["c"].tolist()
    header = compiled.files["model.h"]
    assert " * Output 'a': 0 is 'cat', 1 is 'dog', 2 is 'eel'.\n" in header
    assert " * Output 'b': 0 is 'low', 1 is 'high', 2 is '?'.\n" in header
    assert "Output 'c'" not in header


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            node("LabelEncoder", ["n"], ["y"], keys_floats=[0.5], values_int64s=[1]),
            "LabelEncoder 'y': keys of type float are not supported; use int64",
        ),
        (
            node("LabelEncoder", ["n"], ["y"], keys_int64s=[0, 9000], values_int64s=[1, 2]),
            "LabelEncoder 'y': keys from 0 to 9000 are too far apart; supported are 4,096 numbers",
        ),
        (
            node("OneHotEncoder", ["n"], ["y"], cats_int64s=[1], zeros=0),
            "OneHotEncoder 'y': zeros=0 fails at run time where there is no such category; use zeros=1",
        ),
        (
            node("OneHotEncoder", ["n"], ["y"], cats_strings=["a"]),
            "OneHotEncoder 'y': has categories that are texts; supported are integers",
        ),
        (
            node("Imputer", ["x"], ["y"], imputed_value_floats=[1.0], replaced_value_float=-999.0),
            "Imputer 'y': replaced_value_float=-999 is not supported, as integers need not have it; mark what is "
            "missing by NaN or 0",
        ),
        (
            node("SVMClassifier", ["x"], ["label", "y"], classlabels_ints=[0], coefficients=WEIGHTS),
            "SVMClassifier 'label': has 1 labels of integers; it must have two or more",
        ),
        (
            node("SVMClassifier", ["x"], ["label", "y"], classlabels_ints=[0, 1], coefficients=WEIGHTS[:8], rho=[0.5]),
            "SVMClassifier 'label': of two classes without support vectors has labels of each runtime's own; use "
            "LinearClassifier",
        ),
        (
            support_vectors(2, post_transform="SOFTMAX"),
            "SVMClassifier 'label': has post_transform=SOFTMAX of two classes, which runtimes leave out; use NONE or "
            "LOGISTIC",
        ),
        (
            support_vectors(3, rho=[0.5]),
            "SVMClassifier 'label': is invalid: its inputs, attributes and bodies do not fit each other",
        ),
    ],
)
def test_other_categories_are_refused(made: onnx.NodeProto, reason: str) -> None:
    inputs = dict.fromkeys(made.input, (2, 4))
    assert refusal(model([made], inputs, opset_imports=IMPORTS, kinds={"n": TensorProto.INT64})) == reason
