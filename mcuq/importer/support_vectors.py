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
_MOST_CLASSES = 16


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
    """(samples, classes): a logistic function of the score for each pair, and of more than two classes those
    probabilities that fit all pairs best.

    Those minimize the sum of (r_ji p_i - r_ij p_j)^2 (Wu, Lin and Weng, Probability Estimates for Multi-class
    Classification by Pairwise Coupling, 2004), which solves Q p = a multiple of (1, 1, 1): p is as the sums of rows of
    Q's adjugate, all of whose terms are positive, which is written out of three classes; others are solved for.
    Runtimes iterate until a residue is below 0.005 / classes.
    """
    if classes > _MOST_CLASSES:
        raise Stuck(
            f"has probabilities of {classes} classes; supported are {_MOST_CLASSES}: compile the labels alone "
            "(--outputs), or export it without probabilities"
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
    if classes > 3:
        return _solved(flat, won, lost, classes, prefix)

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


def _solved(flat: Flattening, won: str, lost: str, classes: int, prefix: str) -> str:
    """(samples, classes) of the pairs' probabilities: (Q + 1) p is a multiple of (1, 1, ...) too, and Q + 1, where 1 is
    added to each element, can be inverted where Q, of pairs that all agree, cannot. Elimination needs no pivots, as it
    is positive definite."""
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    number = {pair: k for k, pair in enumerate(pairs)}

    def constant(value: Array) -> str:
        return flat.constant(value, f"{prefix}solver")

    def add(op_type: str, *inputs: str, **attributes: Any) -> str:
        return flat.add(op_type, list(inputs), f"{prefix}{op_type.lower()}", **attributes)[0]

    def part(x: str, axis: int, place: int) -> str:
        return add("Gather", x, constant(np.array([place], np.int64)), axis=axis)

    # r_st of s against t: Q_tt is the sum of r_st^2, Q_st = -r_ts r_st.
    of_others = [
        [number[s, t] if s < t else len(pairs) + number[t, s] for s in range(classes) if s != t] for t in range(classes)
    ]
    each = add("Gather", add("Concat", won, lost, axis=1), constant(np.array(of_others, np.int64)), axis=1)
    own = reduced(flat, "ReduceSum", add("Mul", each, each), f"{prefix}own", axis=2, keepdims=0)
    mixed = add("Neg", add("Mul", won, lost))
    places = [[t if s == t else classes + number[min(s, t), max(s, t)] for t in range(classes)] for s in range(classes)]
    one = constant(np.array(1, np.float32))
    known = add("Add", add("Concat", own, mixed, axis=1), one)
    matrix = add("Gather", known, constant(np.array(places, np.int64)), axis=1)
    right = constant(np.ones((1, classes, 1), np.float32))
    for j in range(classes):
        column, row = part(matrix, 2, j), part(matrix, 1, j)
        pivot = part(column, 1, j)
        factors = add("Sub", column, constant(np.eye(classes, dtype=np.float32)[None, :, j : j + 1]))
        right = add("Sub", right, add("Mul", factors, add("Div", part(right, 1, j), pivot)))
        if j < classes - 1:
            matrix = add("Sub", matrix, add("Mul", factors, add("Div", row, pivot)))
    weights = add("Squeeze", right, axes=[2]) if flat.opset < 13 else add("Squeeze", right, constant(np.array([2])))
    whole = reduced(flat, "ReduceSum", weights, f"{prefix}whole")
    return add("Div", weights, whole)


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
