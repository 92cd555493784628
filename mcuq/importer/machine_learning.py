"""ai.onnx.ml: operators of classic machine learning, spelled in those of networks; trees are in trees.py, support
vectors in support_vectors.py, what tells categories apart in categories.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of

# Where sums are divided by, so that what is all zero stays so.
_LEAST = np.array(1e-30, np.float32)


def _scaler(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """(x - offset) * scale."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    offset = flat.constant(np.array(attributes.get("offset", [0.0]), np.float32), f"{prefix}offset")
    scale = flat.constant(np.array(attributes.get("scale", [1.0]), np.float32), f"{prefix}scale")
    return [*flat.add("Mul", [*flat.add("Sub", [x, offset], f"{prefix}centred"), scale], f"{prefix}scaled")]


def _normalizer(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Each row over its L1 norm, its L2 norm or its largest value."""
    norm, x = attributes_of(node).get("norm", b"MAX").decode(), flat.tensor(values[0])
    if norm == "L2":
        return [*flat.add("LpNormalization", [x], f"{prefix}normalized", axis=-1, p=2)]
    if norm == "MAX":
        largest = reduced(flat, "ReduceMax", x, f"{prefix}largest", opset=18)
        zero, one = (flat.constant(np.array(number, np.float32), f"{prefix}number") for number in (0, 1))
        (is_zero,) = flat.add("Equal", [largest, zero], f"{prefix}is_zero")
        return [
            *flat.add("Div", [x, *flat.add("Where", [is_zero, one, largest], f"{prefix}norm")], f"{prefix}normalized")
        ]
    if norm != "L1":
        raise Stuck(f"norm={norm} is not supported; use MAX, L1 or L2")
    size = reduced(flat, "ReduceSum", flat.add("Abs", [x], f"{prefix}sizes")[0], f"{prefix}norm")
    least = flat.constant(_LEAST, f"{prefix}least")
    return [*flat.add("Div", [x, *flat.add("Max", [size, least], f"{prefix}norm")], f"{prefix}normalized")]


def _vectorizer(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Features side by side."""
    given = attributes_of(node).get("inputdimensions", [])
    sizes = [flat.shape_of(value)[-1:] for value in values]
    if given and [(size,) for size in given] != sizes:
        raise Stuck(f"inputdimensions={list(given)} are not those of its inputs")
    return [*flat.add("Concat", [flat.tensor(value) for value in values], f"{prefix}joined", axis=-1)]


def _extractor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Features that indices pick, all of them in a row."""
    shape, picked = flat.shape_of(values[0]), flat.tensor(values[1])
    (indices,) = flat.add(
        "Reshape", [picked, flat.constant(np.array([-1], np.int64), f"{prefix}row")], f"{prefix}indices"
    )
    (features,) = flat.add("Gather", [flat.tensor(values[0]), indices], f"{prefix}picked", axis=-1)
    return [flat.unsqueezed(features, 0, f"{prefix}row") if len(shape) == 1 else features]


def _regressor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """A matrix times the features, and an intercept for each target."""
    attributes = attributes_of(node)
    scores = _linear(flat, values[0], attributes, attributes.get("targets", 1), prefix)
    return [transformed(flat, scores, attributes, prefix)]


def _classifier(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The label of the largest score, and the scores."""
    attributes = attributes_of(node)
    labels = np.array(attributes.get("classlabels_ints", []), np.int64)
    intercepts = len(attributes.get("intercepts", []))
    if len(labels) < 2 or intercepts not in (0, len(labels)):
        raise Stuck(f"has {len(labels)} labels of integers and {intercepts} intercepts; it must have one score a label")
    scores = _linear(flat, values[0], attributes, len(labels), prefix)
    return labelled(flat, scores, labels, attributes, prefix)


def _linear(flat: Flattening, value: Value, attributes: Mapping[str, Any], targets: int, prefix: str) -> str:
    matrix = np.array(attributes["coefficients"], np.float32).reshape(targets, -1).T.copy()
    (product,) = flat.add(
        "MatMul", [flat.tensor(value), flat.constant(matrix, f"{prefix}coefficients")], f"{prefix}sum"
    )
    if not (intercepts := attributes.get("intercepts")):
        return product
    bias = flat.constant(np.array(intercepts, np.float32), f"{prefix}intercepts")
    return flat.add("Add", [product, bias], f"{prefix}score")[0]


def labelled(
    flat: Flattening, scores: str, labels: np.ndarray[Any, Any], attributes: Mapping[str, Any], prefix: str
) -> list[Value]:
    """The label of the largest of (samples, labels), and the scores as post_transform has them."""
    (index,) = flat.add("ArgMax", [scores], f"{prefix}index", axis=1, keepdims=0)
    return [named(flat, index, labels, prefix), transformed(flat, scores, attributes, prefix)]


def named(flat: Flattening, index: str, labels: np.ndarray[Any, Any], prefix: str) -> str:
    """The labels of what indices say."""
    if np.array_equal(labels, np.arange(len(labels))):
        return index
    return flat.add("Gather", [flat.constant(labels, f"{prefix}labels"), index], f"{prefix}label", axis=0)[0]


def transformed(flat: Flattening, scores: str, attributes: Mapping[str, Any], prefix: str) -> str:
    """Scores as attribute post_transform has them."""
    name = attributes.get("post_transform", b"NONE").decode()
    if name == "NONE":
        return scores
    if name in ("LOGISTIC", "SOFTMAX") and flat.shape_of(scores)[-1] == 1:
        raise Stuck(f"post_transform={name} of one score is left out by runtimes; use NONE and a standard operator")
    if name == "LOGISTIC":
        return flat.add("Sigmoid", [scores], f"{prefix}probabilities")[0]
    if name == "SOFTMAX":
        return flat.add("Softmax", [scores], f"{prefix}probabilities", axis=-1)[0]
    raise Stuck(f"post_transform={name} is not supported; use NONE, LOGISTIC or SOFTMAX")


def reduced(
    flat: Flattening, op_type: str, x: str, stem: str, axis: int = -1, keepdims: int = 1, opset: int = 13
) -> str:
    """Along one dimension; it is an input from `opset` on."""
    if flat.opset < opset:
        return flat.add(op_type, [x], stem, axes=[axis], keepdims=keepdims)[0]
    axes = flat.constant(np.array([axis], np.int64), f"{stem}.axes")
    return flat.add(op_type, [x, axes], stem, keepdims=keepdims)[0]


MACHINE_LEARNING: Mapping[str, Rule] = {
    "ArrayFeatureExtractor": _extractor,
    "FeatureVectorizer": _vectorizer,
    "LinearClassifier": _classifier,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
