"""TreeEnsembleRegressor and TreeEnsembleClassifier: all trees are walked at once, one step down after the other.

A node is a row of tables in flash: its feature, its threshold, and the rows that it goes on with; a leaf goes on with
itself. In float32 each decision is that of the file. In integers features are as fine as the largest of their own
thresholds wants, so that only decisions within half a step of one may differ. What is not a number has no place in
integers, so that where it would go is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from mcuq.graph.tensor import Array
from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.machine_learning import labelled, reduced, transformed
from mcuq.importer.rewriter import attributes_of

_COMPARISONS = {
    "BRANCH_LEQ": "LessOrEqual",
    "BRANCH_LT": "Less",
    "BRANCH_GTE": "GreaterOrEqual",
    "BRANCH_GT": "Greater",
}
# LightGBM compares with 1e-35 for what is 0.
_LARGEST_FACTOR = 20


@dataclass(frozen=True)
class _Trees:
    """Tables with a row a node; `roots` are the rows of the trees' first nodes, `rows` those of (tree, node)."""

    comparison: str
    features: Array
    thresholds: Array
    where_true: Array
    where_false: Array
    roots: Array
    rows: Mapping[tuple[int, int], int]
    depth: int


def _trees(attributes: Mapping[str, Any]) -> _Trees:
    for name in attributes:
        if name.endswith("_as_tensor"):
            raise Stuck(f"{name} is not supported; export the trees with numbers of float32")
    keys = [*zip(attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True)]
    rows = {key: row for row, key in enumerate(keys)}
    modes = [mode.decode() for mode in attributes["nodes_modes"]]
    used = sorted({*modes} - {"LEAF"}) or ["BRANCH_LEQ"]
    if len(used) > 1 or used[0] not in _COMPARISONS:
        raise Stuck(f"nodes_modes {', '.join(used)} are not supported; use one of {', '.join(_COMPARISONS)} in all")
    is_leaf = np.array([mode == "LEAF" for mode in modes])
    own = np.arange(len(keys))

    def children(name: str) -> Array:
        there = [rows.get((key[0], child), -1) for key, child in zip(keys, attributes[name], strict=True)]
        found: Array = np.where(is_leaf, own, there)
        if found.min() < 0:
            raise ValueError("a child that no node is")
        return found

    true, false = children("nodes_truenodeids"), children("nodes_falsenodeids")
    first: dict[int, int] = {}
    for row, (tree, _) in enumerate(keys):
        first.setdefault(tree, row)
    roots = np.array([first[tree] for tree in sorted(first)])
    reached, depth = roots, 0
    while not is_leaf[reached].all():
        if depth > len(keys):
            raise ValueError("a tree that comes back to itself")
        reached, depth = np.unique(np.concatenate([true[reached], false[reached]])), depth + 1
    return _Trees(
        _COMPARISONS[used[0]],
        np.where(is_leaf, 0, attributes["nodes_featureids"]).astype(np.int64),
        np.where(is_leaf, 0, attributes["nodes_values"]).astype(np.float32),
        true.astype(np.int64),
        false.astype(np.int64),
        roots.astype(np.int64),
        rows,
        depth,
    )


def _alike(flat: Flattening, x: str, trees: _Trees, prefix: str) -> tuple[str, _Trees]:
    """The features times powers of two, cut where no threshold is: as exact, and of one range, for scales in common."""
    count = flat.shape_of(x)[-1]
    largest = np.zeros(count)
    np.maximum.at(largest, trees.features, np.abs(trees.thresholds).astype(np.float64))
    exponents = np.frexp(np.where(largest > 0, largest, 0.5))[1]
    factors = np.exp2(np.minimum(-exponents, _LARGEST_FACTOR)).astype(np.float32)
    (scaled,) = flat.add("Mul", [x, flat.constant(factors, f"{prefix}factors")], f"{prefix}scaled")
    limits = [flat.constant(np.array(limit, np.float32), f"{prefix}limit") for limit in (-1, 1)]
    (cut,) = flat.add("Clip", [scaled, *limits], f"{prefix}alike")
    return cut, replace(trees, thresholds=trees.thresholds * factors[trees.features])


def _leaves(flat: Flattening, x: str, trees: _Trees, prefix: str) -> str:
    """(samples, trees): the row of the leaf that each tree ends with."""
    names = ("features", "thresholds", "where_true", "where_false")
    tables = {name: flat.constant(getattr(trees, name), f"{prefix}{name}") for name in names}
    at: dict[str, str] = {name: flat.constant(getattr(trees, name)[trees.roots], f"{prefix}first") for name in names}
    (value,) = flat.add("Gather", [x, at["features"]], f"{prefix}value", axis=1)
    rows = ""
    for step in range(trees.depth):
        if step:
            at = {n: flat.add("Gather", [tables[n], rows], f"{prefix}{step}/{n}", axis=0)[0] for n in names}
            (value,) = flat.add("GatherElements", [x, at["features"]], f"{prefix}{step}/value", axis=1)
        (holds,) = flat.add(trees.comparison, [value, at["thresholds"]], f"{prefix}{step}/holds")
        (rows,) = flat.add("Where", [holds, at["where_true"], at["where_false"]], f"{prefix}{step}/rows")
    return rows


def _sums(flat: Flattening, x: str, attributes: Mapping[str, Any], kind: str, count: int, prefix: str) -> str:
    """(samples, count): the sums of what the leaves weigh."""
    trees = _trees(attributes)
    weights = np.zeros((len(trees.features), count), np.float32)
    is_weighed = np.zeros(weights.shape, bool)
    ids = (attributes[f"{kind}_{what}"] for what in ("treeids", "nodeids", "ids", "weights"))
    for tree, node, target, weight in zip(*ids, strict=True):
        if target < 0:
            raise ValueError("an output of a number below 0")
        weights[trees.rows[tree, node], target] += weight
        is_weighed[trees.rows[tree, node], target] = True
    base = np.array(attributes.get("base_values", []), np.float32)
    if len(base) not in (0, count):
        raise Stuck(f"has {len(base)} base_values; it must have one for each score, {count}, or none")
    # Runtimes leave out scores that no leaf of a sample weighs for, with their base values.
    matters = base.any() or (kind == "class" and (weights < 0).any())
    if matters and not _always_weighed(trees, is_weighed).all():
        raise Stuck("has a score that not all samples have; let all leaves of one tree weigh for it")
    if not trees.depth:
        raise Stuck("has no branch; its outputs do not depend on its input")
    rows = _leaves(flat, *_alike(flat, x, trees, prefix), prefix)
    table = flat.constant(weights, f"{prefix}weights")
    (found,) = flat.add("Gather", [table, rows], f"{prefix}weight", axis=0)
    total = reduced(flat, "ReduceSum", found, f"{prefix}sum", axis=1, keepdims=0)
    if not base.any():
        return total
    return flat.add("Add", [total, flat.constant(base, f"{prefix}base")], f"{prefix}score")[0]


def _always_weighed(trees: _Trees, is_weighed: Array) -> Array:
    """bool of each score: whether all leaves of a tree weigh for it."""
    is_leaf = trees.where_true == np.arange(len(trees.where_true))
    tree_of = np.array([tree for tree, _ in trees.rows])
    found: Array = np.any([is_weighed[is_leaf & (tree_of == tree)].all(axis=0) for tree in {*tree_of}], axis=0)
    return found


def _regressor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    attributes = attributes_of(node)
    aggregate = attributes.get("aggregate_function", b"SUM").decode()
    if aggregate not in ("SUM", "AVERAGE"):
        raise Stuck(f"aggregate_function={aggregate} is not supported; use SUM or AVERAGE")
    if aggregate == "AVERAGE":
        count = len(set(attributes["nodes_treeids"]))
        attributes["target_weights"] = [weight / count for weight in attributes["target_weights"]]
    score = _sums(flat, flat.tensor(values[0]), attributes, "target", attributes.get("n_targets", 1), prefix)
    return [transformed(flat, score, attributes, prefix)]


def _classifier(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The label of the largest score, and the scores; one score of two classes is the second's."""
    attributes = attributes_of(node)
    labels = np.array(attributes["classlabels_int64s"], np.int64)
    transform = attributes.get("post_transform", b"NONE").decode()
    if len(labels) < 2:
        raise Stuck(f"has {len(labels)} label; it must have two or more")
    if len(labels) == 2 and transform == "SOFTMAX":
        raise Stuck("has post_transform=SOFTMAX of two classes, which runtimes leave out; use NONE or LOGISTIC")
    if len(labels) == 2 and len(set(attributes["class_ids"])) > 1:
        raise Stuck("weighs both of two classes, for which runtimes give other labels; let its leaves weigh for one")
    if len(labels) == 2:
        attributes["class_ids"] = [0] * len(attributes["class_ids"])
        score = _sums(flat, flat.tensor(values[0]), attributes, "class", 1, prefix)
        if min(attributes["class_weights"]) >= 0 and transform == "NONE":
            one = flat.constant(np.array(1, np.float32), f"{prefix}one")
            (other,) = flat.add("Sub", [one, score], f"{prefix}other")
        else:
            (other,) = flat.add("Neg", [score], f"{prefix}other")
        (scores,) = flat.add("Concat", [other, score], f"{prefix}scores", axis=1)
    else:
        scores = _sums(flat, flat.tensor(values[0]), attributes, "class", len(labels), prefix)
    return labelled(flat, scores, labels, attributes, prefix)


TREES: Mapping[str, Rule] = {"TreeEnsembleClassifier": _classifier, "TreeEnsembleRegressor": _regressor}
