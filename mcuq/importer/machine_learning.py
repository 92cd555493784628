"""ai.onnx.ml: operators of classic machine learning, spelled in those of networks; trees are in trees.py, support
vectors in support_vectors.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of

# Of a LabelEncoder's table, both ends for what is beyond.
_MOST_ENTRIES = 4096

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
    if norm != "L1":
        raise Stuck(f"norm={norm} is not supported; use L1 or L2")
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
    """Features that indices pick, or what stands at computed ones in a row of constants."""
    shape, row = flat.shape_of(values[0]), flat.constant(np.array([-1], np.int64), f"{prefix}row")
    (indices,) = flat.add("Reshape", [flat.tensor(values[1]), row], f"{prefix}indices")
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


def _imputer(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Another value, one or one a feature, for what is missing: NaN, an infinity, or a number that stands for it."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    of_integers = "imputed_value_int64s" in attributes
    kind, suffix = (np.int64, "int64") if of_integers else (np.float32, "float")
    missing = attributes.get(f"replaced_value_{suffix}", 0)
    if np.isnan(missing):
        (is_missing,) = flat.add("IsNaN", [x], f"{prefix}missing")
    elif np.isinf(missing):
        sign = {"detect_positive": int(missing > 0), "detect_negative": int(missing < 0)}
        (is_missing,) = flat.add("IsInf", [x], f"{prefix}missing", **sign)
    else:
        (is_missing,) = flat.add(
            "Equal", [x, flat.constant(np.array(missing, kind), f"{prefix}code")], f"{prefix}missing"
        )
    given = flat.constant(np.array(attributes[f"imputed_value_{suffix}s"], kind), f"{prefix}values")
    return [*flat.add("Where", [is_missing, given, x], f"{prefix}imputed")]


def _encoder(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """What a table has for integers, and for others a default."""
    attributes = attributes_of(node)
    keys, given = _listed(attributes, "keys"), _listed(attributes, "values")
    if keys is None or given is None or keys.dtype != np.int64:
        raise Stuck("encodes other than integers as numbers; only int64 as int64 or float is supported")
    low, high = int(keys.min()) - 1, int(keys.max()) + 1
    if high - low >= _MOST_ENTRIES:
        raise Stuck(
            f"encodes integers from {low + 1} to {high - 1}; at most {_MOST_ENTRIES - 2:,} in a row are supported"
        )
    table = np.full(high - low + 1, _default(attributes, given.dtype), given.dtype)
    table[keys[::-1] - low] = given[::-1]  # of equal keys the first counts
    bounds = [flat.constant(np.array(bound, np.int64), f"{prefix}bound") for bound in (low, high)]
    (above,) = flat.add("Max", [flat.tensor(values[0]), bounds[0]], f"{prefix}above")
    (limited,) = flat.add("Min", [above, bounds[1]], f"{prefix}limited")
    (index,) = flat.add("Sub", [limited, bounds[0]], f"{prefix}index")
    return [*flat.add("Gather", [flat.constant(table, f"{prefix}table"), index], f"{prefix}encoded", axis=0)]


_LISTS: Mapping[str, Any] = {"int64": np.int64, "float": np.float32}  # what numbers attributes name


def _listed(attributes: Mapping[str, Any], what: str) -> np.ndarray[Any, Any] | None:
    """The numbers of an attribute that is a list or a tensor."""
    if (tensor := attributes.get(f"{what}_tensor")) is not None:
        value = numpy_helper.to_array(tensor).reshape(-1)
        return value if value.dtype in _LISTS.values() else None
    return next(
        (
            np.array(attributes[f"{what}_{kind}s"], dtype)
            for kind, dtype in _LISTS.items()
            if f"{what}_{kind}s" in attributes
        ),
        None,
    )


def _default(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> Any:
    """For what is no key."""
    if (tensor := attributes.get("default_tensor")) is not None:
        return numpy_helper.to_array(tensor).reshape(-1)[0]
    return attributes.get("default_int64", -1) if dtype == np.int64 else attributes.get("default_float", 0.0)


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
    return [label_of(flat, scores, labels, prefix), transformed(flat, scores, attributes, prefix)]


def label_of(flat: Flattening, scores: str, labels: np.ndarray[Any, Any], prefix: str) -> str:
    """The first of the largest."""
    (index,) = flat.add("ArgMax", [scores], f"{prefix}index", axis=1, keepdims=0)
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


def reduced(flat: Flattening, op_type: str, x: str, stem: str, axis: int = -1, keepdims: int = 1) -> str:
    """Along one dimension."""
    if flat.opset < 13:
        return flat.add(op_type, [x], stem, axes=[axis], keepdims=keepdims)[0]
    axes = flat.constant(np.array([axis], np.int64), f"{stem}.axes")
    return flat.add(op_type, [x, axes], stem, keepdims=keepdims)[0]


MACHINE_LEARNING: Mapping[str, Rule] = {
    "ArrayFeatureExtractor": _extractor,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LabelEncoder": _encoder,
    "LinearClassifier": _classifier,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
