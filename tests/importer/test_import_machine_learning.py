"""Operators of classic machine learning, each against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import check_import, imported, ints, model, original_outputs, random, refusal

from mcuq.importer import read_model

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
            node("SVMRegressor", ["x"], ["y"], kernel_type="COSINE", **SUPPORT),
            "SVMRegressor 'y': kernel_type=COSINE is not supported; use LINEAR, POLY, RBF or SIGMOID",
        ),
    ],
)
def test_other_forms_are_refused(made: onnx.NodeProto, reason: str) -> None:
    assert refusal(model([made], X, opset_imports=IMPORTS)) == reason
