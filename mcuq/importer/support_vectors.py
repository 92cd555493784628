"""Support vector machines of ai.onnx.ml, spelled in operators of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.machine_learning import label_of, reduced, transformed
from mcuq.importer.rewriter import attributes_of


def _regressor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The kernel's value of the features and each support vector, weighted and summed."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    count = attributes.get("n_supports", 0)
    if attributes.get("one_class", 0):
        raise Stuck("one_class=1 is not supported; use a regression")
    coefficients = np.array(attributes["coefficients"], np.float32).reshape(-1, 1)
    score = _weighted(flat, x, attributes, count, coefficients, attributes.get("rho", [0.0])[:1], prefix)
    return [transformed(flat, score, attributes, prefix)]


def _classifier(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Two classes at a time, a sum over the support vectors of both votes for the first where it is above 0; the class
    of most votes, the first of those, and the sums; of two classes minus the sum and the sum, or what
    1 / (1 + exp(a sum + b)) makes of it."""
    attributes = attributes_of(node)
    labels, sizes = np.array(attributes.get("classlabels_ints", []), np.int64), attributes.get("vectors_per_class", [])
    classes, count = len(labels), sum(sizes)
    if not count or len(sizes) != classes:
        raise Stuck(f"has {classes} labels and support vectors of {len(sizes)} classes; it must have one class a label")
    if (slopes := attributes.get("prob_a")) and classes > 2:
        raise Stuck(
            f"probabilities of {classes} classes are searched for step by step; export it without probabilities"
        )
    given = np.array(attributes["coefficients"], np.float32).reshape(classes - 1, count)
    if classes == 2 and (given >= 0).all():
        raise Stuck("no coefficient is negative, which runtimes take for another kind; use a regression")
    owner = np.repeat(np.arange(classes), sizes)
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    columns = [np.where(owner == i, given[j - 1], np.where(owner == j, given[i], 0)) for i, j in pairs]
    scores = _weighted(flat, flat.tensor(values[0]), attributes, count, np.stack(columns, 1), attributes["rho"], prefix)

    zero = flat.constant(np.array(0, np.float32), f"{prefix}zero")
    (first,) = flat.add("Greater", [scores, zero], f"{prefix}first")
    (won,) = flat.add("Cast", [first], f"{prefix}won", to=onnx.TensorProto.FLOAT)
    votes = np.zeros((len(pairs), classes), np.float32)
    for pair, (i, j) in enumerate(pairs):
        votes[pair, [i, j]] = 1, -1
    (gained,) = flat.add("MatMul", [won, flat.constant(votes, f"{prefix}of_pairs")], f"{prefix}gained")
    (all_votes,) = flat.add(
        "Add", [gained, flat.constant((votes < 0).sum(0, np.float32), f"{prefix}others")], f"{prefix}votes"
    )
    label = label_of(flat, all_votes, labels, prefix)

    if classes == 2 and slopes:
        (scaled,) = flat.add(
            "Mul", [scores, flat.constant(np.array(slopes, np.float32), f"{prefix}slope")], f"{prefix}scaled"
        )
        b = flat.constant(np.array(attributes["prob_b"], np.float32), f"{prefix}b")
        (second,) = flat.add("Sigmoid", flat.add("Add", [scaled, b], f"{prefix}moved"), f"{prefix}second")
        one = flat.constant(np.array(1, np.float32), f"{prefix}one")
        scores = flat.add(
            "Concat", [*flat.add("Sub", [one, second], f"{prefix}first_of_two"), second], f"{prefix}both", axis=1
        )[0]
    elif classes == 2:
        scores = flat.add("Concat", [*flat.add("Neg", [scores], f"{prefix}minus"), scores], f"{prefix}both", axis=1)[0]
    return [label, transformed(flat, scores, attributes, prefix)]


def _weighted(
    flat: Flattening,
    x: str,
    attributes: Mapping[str, Any],
    supports: int,
    coefficients: np.ndarray[Any, Any],
    rho: Sequence[float],
    prefix: str,
) -> str:
    """The kernel's values of the features and each support vector, or the features where there are none, times a
    matrix, and what is added."""
    kernel = attributes.get("kernel_type", b"LINEAR").decode()
    if supports:
        vectors = np.array(attributes["support_vectors"], np.float32).reshape(supports, -1)
        gamma, coef0, degree = attributes.get("kernel_params", [0.0, 0.0, 3.0])
        x = _kernel(flat, x, vectors, kernel, (gamma, coef0, degree), prefix)
    (total,) = flat.add("MatMul", [x, flat.constant(coefficients, f"{prefix}coefficients")], f"{prefix}sum")
    return flat.add("Add", [total, flat.constant(np.array(rho, np.float32), f"{prefix}rho")], f"{prefix}score")[0]


def _kernel(
    flat: Flattening, x: str, vectors: np.ndarray[Any, Any], kernel: str, given: tuple[float, float, float], prefix: str
) -> str:
    """(samples, support vectors)."""
    gamma, coef0, degree = (np.array(value, np.float32) for value in given)
    if kernel == "RBF":
        stored = flat.constant(vectors, f"{prefix}vectors")
        (apart,) = flat.add("Sub", [flat.unsqueezed(x, 1, f"{prefix}column"), stored], f"{prefix}apart")
        (square,) = flat.add("Mul", [apart, apart], f"{prefix}squares")
        distance = reduced(flat, "ReduceSum", square, f"{prefix}distance", keepdims=0)
        (scaled,) = flat.add("Mul", [distance, flat.constant(-gamma, f"{prefix}gamma")], f"{prefix}scaled")
        return flat.add("Exp", [scaled], f"{prefix}kernel")[0]
    (product,) = flat.add("MatMul", [x, flat.constant(vectors.T.copy(), f"{prefix}vectors")], f"{prefix}products")
    if kernel == "LINEAR":
        return product
    (scaled,) = flat.add("Mul", [product, flat.constant(gamma, f"{prefix}gamma")], f"{prefix}scaled")
    (moved,) = flat.add("Add", [scaled, flat.constant(coef0, f"{prefix}coef0")], f"{prefix}moved")
    if kernel == "SIGMOID":
        return flat.add("Tanh", [moved], f"{prefix}kernel")[0]
    if kernel == "POLY":
        return flat.add("Pow", [moved, flat.constant(degree, f"{prefix}degree")], f"{prefix}kernel")[0]
    raise Stuck(f"kernel_type={kernel} is not supported; use LINEAR, POLY, RBF or SIGMOID")


SUPPORT_VECTORS: Mapping[str, Rule] = {"SVMClassifier": _classifier, "SVMRegressor": _regressor}
