"""Operators of classic machine learning, each against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import check_import, imported, ints, model, original_outputs, random, refusal

from mcuq.importer import read_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel

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
        node("FeatureVectorizer", ["x", "scaled"], ["joined"], inputdimensions=[4, 4]),
        node("ArrayFeatureExtractor", ["x", "picked"], ["features"]),
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
        node("Imputer", ["x"], ["code"], imputed_value_floats=[-9.0], replaced_value_float=0.5),
        node("Imputer", ["x"], ["largest"], imputed_value_floats=[7.0], replaced_value_float=inf),
        node("Imputer", ["x"], ["least"], imputed_value_floats=[7.0], replaced_value_float=-inf),
    ]
    names = [n.output[0] for n in nodes]
    proto = model(nodes, X, names, opset_imports=IMPORTS)
    graph = check_import(proto)
    x = np.array([[nan, 0.5, inf, -inf], [1.0, nan, 0.5, nan]], np.float32)
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
    ],
    ids=["three", "four", "two"],
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
        (node("Normalizer", ["x"], ["y"], norm="MAX"), "Normalizer 'y': norm=MAX is not supported; use L1 or L2"),
        (
            node("FeatureVectorizer", ["x"], ["y"], inputdimensions=[3]),
            "FeatureVectorizer 'y': inputdimensions=[3] are not those of its inputs",
        ),
        (
            node("SVMRegressor", ["x"], ["y"], one_class=1, **SUPPORT),
            "SVMRegressor 'y': one_class=1 is not supported; use a regression",
        ),
        (
            node("LabelEncoder", ["x"], ["y"], keys_floats=[0.5], values_int64s=[1]),
            "LabelEncoder 'y': encodes other than integers as numbers; only int64 as int64 or float is supported",
        ),
        (
            node("LabelEncoder", ["x"], ["y"], keys_int64s=[0, 5000], values_int64s=[1, 2]),
            "LabelEncoder 'y': encodes integers from 0 to 5000; at most 4,094 in a row are supported",
        ),
        (
            node("SVMClassifier", ["x"], ["y"], classlabels_ints=[0, 1], coefficients=WEIGHTS),
            "SVMClassifier 'y': has 2 labels and support vectors of 0 classes; it must have one class a label",
        ),
        (
            machine([1, 1, 1], [0, 1, 2], prob_a=[1.0, 1.0, 1.0], prob_b=[0.0, 0.0, 0.0]).graph.node[0],
            "SVMClassifier 'label': probabilities of 3 classes are searched for step by step; export it without "
            "probabilities",
        ),
        (
            machine([1, 1], [0, 1], coefficients=[0.5, 0.25]).graph.node[0],
            "SVMClassifier 'label': no coefficient is negative, which runtimes take for another kind; use a regression",
        ),
        (
            node("SVMRegressor", ["x"], ["y"], kernel_type="COSINE", **SUPPORT),
            "SVMRegressor 'y': kernel_type=COSINE is not supported; use LINEAR, POLY, RBF or SIGMOID",
        ),
    ],
)
def test_other_forms_are_refused(made: onnx.NodeProto, reason: str) -> None:
    assert refusal(model([made], X, [made.output[0]], opset_imports=IMPORTS)) == reason
