"""SVMRegressor and SVMClassifier: kernels of the features and support vectors, and sums of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from mcuq.graph.tensor import Array
from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.machine_learning import labelled, named, reduced, transformed
from mcuq.importer.rewriter import attributes_of

# Runtimes keep the probability of one class beside another so far from 0 and 1.
_LEAST = 1e-7


def _regressor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The kernel's value of the features and each support vector, weighted and summed."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    if attributes.get("one_class", 0):
        raise Stuck("one_class=1 is not supported; use a regression")
    coefficients = np.array(attributes["coefficients"], np.float32).reshape(-1, 1)
    if count := attributes.get("n_supports", 0):
        x, coefficients = _weighted(flat, x, attributes, count, coefficients, prefix)
    (total,) = flat.add("MatMul", [x, flat.constant(coefficients, f"{prefix}coefficients")], f"{prefix}sum")
    (score,) = flat.add("Add", [total, _differences(flat, attributes, 1, prefix)], f"{prefix}score")
    return [transformed(flat, score, attributes, prefix)]


def _classifier(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """Each two classes are told apart by the support vectors of both, and the label is that which most often wins; the
    scores are those of all pairs, or probabilities of the classes."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    labels = np.array(attributes.get("classlabels_ints", []), np.int64)
    classes = len(labels)
    if classes < 2:
        raise Stuck(f"has {classes} labels of integers; it must have two or more")
    sizes = attributes.get("vectors_per_class")
    if not sizes:
        if classes == 2:
            raise Stuck("of two classes without support vectors has labels of each runtime's own; use LinearClassifier")
        rows = np.array(attributes["coefficients"], np.float32).reshape(classes, -1)
        matrix = flat.constant(rows.T.copy(), f"{prefix}coefficients")
        (total,) = flat.add("MatMul", [x, matrix], f"{prefix}sum")
        (score,) = flat.add("Add", [total, _differences(flat, attributes, 1, prefix)], f"{prefix}score")
        return labelled(flat, score, labels, attributes, prefix)
    if len(sizes) != classes:
        raise ValueError("not as many classes as labels")
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    given = np.array(attributes["coefficients"], np.float32).reshape(classes - 1, sum(sizes))
    starts = np.cumsum([0, *sizes])
    coefficients = np.zeros((sum(sizes), len(pairs)), np.float32)
    for pair, (i, j) in enumerate(pairs):
        coefficients[starts[i] : starts[i + 1], pair] = given[j - 1, starts[i] : starts[i + 1]]
        coefficients[starts[j] : starts[j + 1], pair] = given[i, starts[j] : starts[j + 1]]
    x, coefficients = _weighted(flat, x, attributes, sum(sizes), coefficients, prefix)
    (total,) = flat.add("MatMul", [x, flat.constant(coefficients, f"{prefix}coefficients")], f"{prefix}sum")
    (scores,) = flat.add("Add", [total, _differences(flat, attributes, len(pairs), prefix)], f"{prefix}pairs")
    outputs: list[Value] = [named(flat, _most_won(flat, scores, pairs, classes, prefix), labels, prefix)]
    if not flat.is_read(node, 1):
        return outputs
    if attributes.get("prob_a"):
        probabilities = _probabilities(flat, scores, attributes, classes, prefix)
        return [*outputs, transformed(flat, probabilities, attributes, prefix)]
    if classes == 2:
        if attributes.get("post_transform", b"NONE").decode() == "SOFTMAX":
            raise Stuck("has post_transform=SOFTMAX of two classes, which runtimes leave out; use NONE or LOGISTIC")
        (other,) = flat.add("Neg", [scores], f"{prefix}other")
        (scores,) = flat.add("Concat", [other, scores], f"{prefix}scores", axis=1)
    return [*outputs, transformed(flat, scores, attributes, prefix)]


def _differences(flat: Flattening, attributes: Mapping[str, Any], count: int, prefix: str) -> str:
    rho = np.array(attributes.get("rho", [0.0]), np.float32)[:count]
    if len(rho) != count:
        raise ValueError("not one number for each difference")
    return flat.constant(rho, f"{prefix}rho")


def _most_won(flat: Flattening, scores: str, pairs: list[tuple[int, int]], classes: int, prefix: str) -> str:
    """(samples,): the class that wins most of its pairs, the first of those."""
    zero = flat.constant(np.array(0, np.float32), f"{prefix}zero")
    (first_wins,) = flat.add("Greater", [scores, zero], f"{prefix}first_wins")
    own = [[(pair, place.index(c)) for pair, place in enumerate(pairs) if c in place] for c in range(classes)]
    places = flat.constant(np.array([[pair for pair, _ in row] for row in own], np.int64), f"{prefix}places")
    is_second = flat.constant(np.array([[bool(second) for _, second in row] for row in own]), f"{prefix}is_second")
    (of_class,) = flat.add("Gather", [first_wins, places], f"{prefix}of_class", axis=1)
    (wins,) = flat.add("Xor", [of_class, is_second], f"{prefix}wins")
    (counted,) = flat.add("Cast", [wins], f"{prefix}counted", to=onnx.TensorProto.FLOAT)
    votes = reduced(flat, "ReduceSum", counted, f"{prefix}votes", keepdims=0)
    return flat.add("ArgMax", [votes], f"{prefix}index", axis=1, keepdims=0)[0]


def _probabilities(flat: Flattening, scores: str, attributes: Mapping[str, Any], classes: int, prefix: str) -> str:
    """(samples, classes): a logistic function of the score for each pair, and of three classes those probabilities that
    fit all pairs best.

    Those minimize the sum of (r_ji p_i - r_ij p_j)^2 (Wu, Lin and Weng, Probability Estimates for Multi-class
    Classification by Pairwise Coupling, 2004), which solves Q p = a multiple of (1, 1, 1): p is as the sums of rows of
    Q's adjugate, all of whose terms are positive. Runtimes iterate until a residue is below 0.005 / classes.
    """
    if classes > 3:
        raise Stuck(
            f"has probabilities of {classes} classes, which runtimes find by iterations; supported are 2 and 3: "
            "compile the labels alone (--outputs), or export it without probabilities"
        )
    a, b = (flat.constant(-np.array(attributes[n], np.float32), f"{prefix}{n}") for n in ("prob_a", "prob_b"))
    (sloped,) = flat.add("Mul", [scores, a], f"{prefix}sloped")
    (fitted,) = flat.add("Add", [sloped, b], f"{prefix}fitted")
    (free,) = flat.add("Sigmoid", [fitted], f"{prefix}won")
    limits = [flat.constant(np.array(limit, np.float32), f"{prefix}limit") for limit in (_LEAST, 1 - _LEAST)]
    (won,) = flat.add("Clip", [free, *limits], f"{prefix}won")
    (lost,) = flat.add("Sub", [flat.constant(np.array(1, np.float32), f"{prefix}one"), won], f"{prefix}lost")
    if classes == 2:
        return flat.add("Concat", [won, lost], f"{prefix}probabilities", axis=1)[0]

    def picked(x: str, *columns: int) -> str:
        return flat.add(
            "Gather", [x, flat.constant(np.array(columns, np.int64), f"{prefix}of")], f"{prefix}of", axis=1
        )[0]

    def product(x: str, y: str) -> str:
        return flat.add("Mul", [x, y], f"{prefix}product")[0]

    def total(x: str, y: str) -> str:
        return flat.add("Add", [x, y], f"{prefix}total")[0]

    # r_12, r_13, r_23 and the same the other way round; class by class: against the two others, and those two's own.
    both = flat.add("Concat", [won, lost], f"{prefix}pairs", axis=1)[0]
    squares = product(both, both)
    # -Q_12, -Q_13, -Q_23
    mixed = product(won, lost)
    # Q_11, Q_22, Q_33: of class t the sum over the others of r_jt^2
    own = total(picked(squares, 3, 0, 1), picked(squares, 4, 5, 2))
    # cofactors C_12, C_13, C_23 = Q_13 Q_23 + (-Q_12) Q_33, ...
    across = total(product(picked(mixed, 1, 0, 0), picked(mixed, 2, 2, 1)), product(mixed, picked(own, 2, 1, 0)))
    # C_11 = Q_22 Q_33 - Q_23^2 without a difference, ...
    first = total(
        product(picked(squares, 0, 3, 4), picked(own, 2, 2, 1)),
        product(picked(squares, 5, 4, 3), picked(squares, 1, 2, 5)),
    )
    weights = total(first, total(picked(across, 0, 0, 1), picked(across, 1, 2, 2)))
    whole = reduced(flat, "ReduceSum", weights, f"{prefix}whole")
    return flat.add("Div", [weights, whole], f"{prefix}probabilities")[0]


def _weighted(
    flat: Flattening, x: str, attributes: Mapping[str, Any], count: int, coefficients: Array, prefix: str
) -> tuple[str, Array]:
    """What `coefficients` are multiplied with: (samples, support vectors), or the features where products of these are
    all that a kernel has."""
    vectors = np.array(attributes["support_vectors"], np.float32).reshape(count, -1)
    kernel = attributes.get("kernel_type", b"LINEAR").decode()
    if kernel == "LINEAR":
        return x, (vectors.T.astype(np.float64) @ coefficients).astype(np.float32)
    return _kernel(flat, x, vectors, kernel, attributes.get("kernel_params", [0.0, 0.0, 3.0]), prefix), coefficients


def _kernel(flat: Flattening, x: str, vectors: Array, kernel: str, params: list[float], prefix: str) -> str:
    """(samples, support vectors)."""
    gamma, coef0, degree = (np.array(value, np.float32) for value in params)
    if kernel == "RBF":
        stored = flat.constant(vectors, f"{prefix}vectors")
        (apart,) = flat.add("Sub", [flat.unsqueezed(x, 1, f"{prefix}column"), stored], f"{prefix}apart")
        (square,) = flat.add("Mul", [apart, apart], f"{prefix}squares")
        distance = reduced(flat, "ReduceSum", square, f"{prefix}distance", keepdims=0)
        (scaled,) = flat.add("Mul", [distance, flat.constant(-gamma, f"{prefix}gamma")], f"{prefix}scaled")
        return flat.add("Exp", [scaled], f"{prefix}kernel")[0]
    (product,) = flat.add("MatMul", [x, flat.constant(vectors.T.copy(), f"{prefix}vectors")], f"{prefix}products")
    (scaled,) = flat.add("Mul", [product, flat.constant(gamma, f"{prefix}gamma")], f"{prefix}scaled")
    (moved,) = flat.add("Add", [scaled, flat.constant(coef0, f"{prefix}coef0")], f"{prefix}moved")
    if kernel == "SIGMOID":
        return flat.add("Tanh", [moved], f"{prefix}kernel")[0]
    if kernel == "POLY":
        return flat.add("Pow", [moved, flat.constant(degree, f"{prefix}degree")], f"{prefix}kernel")[0]
    raise Stuck(f"kernel_type={kernel} is not supported; use LINEAR, POLY, RBF or SIGMOID")


SUPPORT_VECTORS: Mapping[str, Rule] = {"SVMClassifier": _classifier, "SVMRegressor": _regressor}
