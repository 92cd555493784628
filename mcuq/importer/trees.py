"""TreeEnsemble, its Regressor and Classifier: all trees are walked at once, one step down after the other.

A node is a row of tables in flash: its feature, its threshold, and the rows that it goes on with; a leaf goes on with
itself. In float32 each decision is that of the file. In integers features are as fine as the largest of their own
thresholds wants, so that only decisions within half a step of one may differ. What is not a number (missing) goes where
the file says; it has no place in integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from mcuq.graph.tensor import Array
from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.machine_learning import labelled, reduced, transformed
from mcuq.importer.rewriter import attributes_of

# Of numbers a node goes on to where its comparison holds: that, and whether the branches change places for it.
_COMPARISONS = {
    "BRANCH_LEQ": ("LessOrEqual", False),
    "BRANCH_LT": ("Less", False),
    "BRANCH_GTE": ("Less", True),
    "BRANCH_GT": ("LessOrEqual", True),
}
_OPPOSITE = {"LessOrEqual": "Greater", "Less": "GreaterOrEqual"}
# LightGBM compares with 1e-35 for what is 0.
_LARGEST_FACTOR = 20
# What thresholds without bound are beside features from -1 to 1, and where NaN is beside these.
_BEYOND = 1.5
_FARTHEST = 2.0
# Of TreeEnsemble, by its numbers.
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True)
class _Trees:
    """Tables with a row a node; `roots` are the rows of the trees' first nodes, `rows` those of (tree, node).
    `nan_holds` says for which nodes the comparison holds of NaN."""

    comparison: str
    features: Array
    thresholds: Array
    where_true: Array
    where_false: Array
    nan_holds: Array
    roots: Array
    rows: Mapping[tuple[int, int], int]
    depth: int

    @property
    def is_branch(self) -> Array:
        """bool of each row; a leaf goes on with itself."""
        is_branch: Array = self.where_true != np.arange(len(self.where_true))
        return is_branch


def _as_numbers(attributes: dict[str, Any]) -> None:
    """Tensors of numbers are read as lists of them."""
    for name in [name for name in attributes if name.endswith("_as_tensor")]:
        numbers = numpy_helper.to_array(attributes.pop(name)).reshape(-1)
        attributes[name.removesuffix("_as_tensor")] = numbers.astype(np.float32).tolist()


def _trees(attributes: Mapping[str, Any]) -> _Trees:
    keys = [*zip(attributes["nodes_treeids"], attributes["nodes_nodeids"], strict=True)]
    rows = {key: row for row, key in enumerate(keys)}
    modes = [mode.decode() for mode in attributes["nodes_modes"]]
    if unknown := sorted({*modes} - {"LEAF", *_COMPARISONS}):
        raise Stuck(f"nodes_modes {', '.join(unknown)} are not supported; use {', '.join(_COMPARISONS)}")
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
    roots = np.array(attributes.get("tree_roots", [first[tree] for tree in sorted(first)]))
    reached, depth = roots, 0
    while not is_leaf[reached].all():
        if depth > len(keys):
            raise ValueError("a tree that comes back to itself")
        reached, depth = np.unique(np.concatenate([true[reached], false[reached]])), depth + 1
    thresholds = np.where(is_leaf, 0, attributes["nodes_values"]).astype(np.float32)
    comparisons = [_COMPARISONS.get(mode, ("", False)) for mode in modes]
    swaps = np.array([swap for _, swap in comparisons])
    used = {comparison for comparison, _ in comparisons} - {""}
    if len(used) == 2:
        # x < t is x <= the float before t.
        is_less = np.array([comparison == "Less" for comparison, _ in comparisons])
        thresholds = np.where(is_less, np.nextafter(thresholds, np.float32(-np.inf)), thresholds)
    tracks_true = np.array(attributes.get("nodes_missing_value_tracks_true") or [0] * len(keys), bool)
    nan_holds = (tracks_true != swaps) & ~is_leaf
    true, false = np.where(swaps, false, true), np.where(swaps, true, false)
    comparison = used.pop() if len(used) == 1 else "LessOrEqual"
    if nan_holds[~is_leaf].all() and not is_leaf.all():
        comparison, nan_holds, true, false = _OPPOSITE[comparison], np.zeros_like(nan_holds), false, true
    return _Trees(
        comparison,
        np.where(is_leaf, 0, attributes["nodes_featureids"]).astype(np.int64),
        thresholds,
        true.astype(np.int64),
        false.astype(np.int64),
        nan_holds,
        roots.astype(np.int64),
        rows,
        depth,
    )


def _alike(flat: Flattening, x: str, trees: _Trees, prefix: str) -> tuple[str, _Trees]:
    """The features times powers of two, cut where no threshold is: as exact, and of one range, for scales in common."""
    count = flat.shape_of(x)[-1]
    largest = np.zeros(count)
    is_finite = np.isfinite(trees.thresholds)
    np.maximum.at(largest, trees.features[is_finite], np.abs(trees.thresholds[is_finite]).astype(np.float64))
    exponents = np.frexp(np.where(largest > 0, largest, 0.5))[1]
    factors = np.exp2(np.minimum(-exponents, _LARGEST_FACTOR)).astype(np.float32)
    (scaled,) = flat.add("Mul", [x, flat.constant(factors, f"{prefix}factors")], f"{prefix}scaled")
    limits = [flat.constant(np.array(limit, np.float32), f"{prefix}limit") for limit in (-1, 1)]
    (cut,) = flat.add("Clip", [scaled, *limits], f"{prefix}alike")
    thresholds = np.where(
        np.isinf(trees.thresholds), np.sign(trees.thresholds) * _BEYOND, trees.thresholds * factors[trees.features]
    )
    return _without_nan(flat, cut, count, replace(trees, thresholds=thresholds.astype(np.float32)), prefix)


def _without_nan(flat: Flattening, x: str, count: int, trees: _Trees, prefix: str) -> tuple[str, _Trees]:
    """NaN below or above all thresholds of its feature, as the nodes want it; where they differ the feature stands
    twice. Itself where the comparison holds of it nowhere."""
    if not trees.nan_holds.any():
        return x, trees
    below = {*trees.features[trees.nan_holds].tolist()}
    above = {*trees.features[trees.is_branch & ~trees.nan_holds].tolist()}
    twice = sorted(below & above)
    features = trees.features
    if twice:
        columns = np.array([*range(count), *twice], np.int64)
        (x,) = flat.add("Gather", [x, flat.constant(columns, f"{prefix}columns")], f"{prefix}columns", axis=1)
        second = dict(zip(twice, range(count, count + len(twice)), strict=True))
        seconds = np.array([second.get(feature, feature) for feature in features.tolist()])
        features = np.where(trees.nan_holds, seconds, features)
    is_above = np.array([feature in above for feature in range(count)] + [False] * len(twice))
    far = _FARTHEST if np.abs(trees.thresholds).max() >= _BEYOND else 1.0
    filled = flat.constant(np.where(is_above, far, -far).astype(np.float32), f"{prefix}missing")
    (missing,) = flat.add("IsNaN", [x], f"{prefix}is_missing")
    (x,) = flat.add("Where", [missing, filled, x], f"{prefix}filled")
    return x, replace(trees, features=features)


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


def _scores(flat: Flattening, x: str, attributes: Mapping[str, Any], kind: str, count: int, prefix: str) -> str:
    """(samples, count): the sums of what the leaves weigh, or the least or the largest of it."""
    aggregate = attributes.get("aggregate_function", b"SUM").decode()
    if aggregate not in _AGGREGATES:
        raise Stuck(f"aggregate_function={aggregate} is not supported; use {', '.join(_AGGREGATES)}")
    trees = _trees(attributes)
    weights = np.zeros((len(trees.features), count), np.float32)
    is_weighed = np.zeros(weights.shape, bool)
    ids = (attributes[f"{kind}_{what}"] for what in ("treeids", "nodeids", "ids", "weights"))
    for tree, node, target, weight in zip(*ids, strict=True):
        if target < 0:
            raise ValueError("an output of a number below 0")
        weights[trees.rows[tree, node], target] += weight
        is_weighed[trees.rows[tree, node], target] = True
    if aggregate == "AVERAGE":
        weights /= np.float32(len(trees.roots))
    base = np.array(attributes.get("base_values", []), np.float32)
    if len(base) not in (0, count):
        raise Stuck(f"has {len(base)} base_values; it must have one for each score, {count}, or none")
    # Runtimes leave out scores that no leaf of a sample weighs for, with their base values.
    matters = base.any() or (kind == "class" and (weights < 0).any())
    if matters and not _always_weighed(trees, is_weighed).all():
        raise Stuck("has a score that not all samples have; let all leaves of one tree weigh for it")
    if aggregate in ("MIN", "MAX") and not is_weighed[~trees.is_branch].all():
        raise Stuck(f"has leaves that do not weigh for all outputs, of which aggregate_function={aggregate} chooses")
    if not trees.depth:
        raise Stuck("has no branch; its outputs do not depend on its input")
    rows = _leaves(flat, *_alike(flat, x, trees, prefix), prefix)
    table = flat.constant(weights, f"{prefix}weights")
    (found,) = flat.add("Gather", [table, rows], f"{prefix}weight", axis=0)
    reduce = {"MIN": "ReduceMin", "MAX": "ReduceMax"}.get(aggregate, "ReduceSum")
    opset = 13 if reduce == "ReduceSum" else 18
    total = reduced(flat, reduce, found, f"{prefix}sum", axis=1, keepdims=0, opset=opset)
    if not base.any():
        return total
    return flat.add("Add", [total, flat.constant(base, f"{prefix}base")], f"{prefix}score")[0]


def _always_weighed(trees: _Trees, is_weighed: Array) -> Array:
    """bool of each score: whether all leaves of a tree weigh for it."""
    is_leaf = ~trees.is_branch
    tree_of = np.array([tree for tree, _ in trees.rows])
    found: Array = np.any([is_weighed[is_leaf & (tree_of == tree)].all(axis=0) for tree in {*tree_of}], axis=0)
    return found


def _regressor(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The sums, averages, least or largest of what the trees' leaves weigh."""
    attributes = attributes_of(node)
    _as_numbers(attributes)
    score = _scores(flat, flat.tensor(values[0]), attributes, "target", attributes.get("n_targets", 1), prefix)
    return [transformed(flat, score, attributes, prefix)]


def _ensemble(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The same where nodes and leaves have tables of their own, and trees are told apart by their first nodes alone."""
    given = attributes_of(node)
    if "membership_values" in given:
        raise Stuck(f"nodes_modes BRANCH_MEMBER are not supported; use {', '.join(_COMPARISONS)}")
    if transform := given.get("post_transform", 0):
        raise Stuck(
            f"post_transform={transform} is numbered otherwise by ONNX than by runtimes; use 0 and a standard operator"
        )
    roots, branches = given["tree_roots"], len(given["nodes_featureids"])
    modes = [_MODES[mode].encode() for mode in numpy_helper.to_array(given["nodes_modes"]).tolist()]
    thresholds = numpy_helper.to_array(given["nodes_splits"]).astype(np.float32).tolist()
    weights = numpy_helper.to_array(given["leaf_weights"]).astype(np.float32).tolist()
    leaves = len(weights)
    children = [
        [place + branches * bool(is_leaf) for place, is_leaf in zip(given[f"nodes_{side}nodeids"], flags, strict=True)]
        for side in ("true", "false")
        for flags in [given[f"nodes_{side}leafs"]]
    ]
    numbers = [*range(branches + leaves)]
    none = [0] * leaves
    attributes: dict[str, Any] = {
        "nodes_treeids": [0] * len(numbers),
        "nodes_nodeids": numbers,
        "nodes_featureids": [*given["nodes_featureids"], *none],
        "nodes_modes": [*modes, *[b"LEAF"] * leaves],
        "nodes_values": [*thresholds, *none],
        "nodes_truenodeids": [*children[0], *none],
        "nodes_falsenodeids": [*children[1], *none],
        "target_treeids": none,
        "target_nodeids": numbers[branches:],
        "target_ids": given["leaf_targetids"],
        "target_weights": weights,
        "aggregate_function": _AGGREGATES[given.get("aggregate_function", 1)].encode(),
        "tree_roots": roots,
    }
    if tracks_true := given.get("nodes_missing_value_tracks_true"):
        attributes["nodes_missing_value_tracks_true"] = [*tracks_true, *none]
    score = _scores(flat, flat.tensor(values[0]), attributes, "target", given.get("n_targets", 1), prefix)
    return [transformed(flat, score, attributes, prefix)]


def _classifier(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """The label of the largest score, and the scores; one score of two classes is the second's."""
    attributes = attributes_of(node)
    _as_numbers(attributes)
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
        score = _scores(flat, flat.tensor(values[0]), attributes, "class", 1, prefix)
        if min(attributes["class_weights"]) >= 0 and transform == "NONE":
            one = flat.constant(np.array(1, np.float32), f"{prefix}one")
            (other,) = flat.add("Sub", [one, score], f"{prefix}other")
        else:
            (other,) = flat.add("Neg", [score], f"{prefix}other")
        (scores,) = flat.add("Concat", [other, score], f"{prefix}scores", axis=1)
    else:
        scores = _scores(flat, flat.tensor(values[0]), attributes, "class", len(labels), prefix)
    return labelled(flat, scores, labels, attributes, prefix)


TREES: Mapping[str, Rule] = {
    "TreeEnsemble": _ensemble,
    "TreeEnsembleClassifier": _classifier,
    "TreeEnsembleRegressor": _regressor,
}
