"""LabelEncoder, OneHotEncoder, Imputer and Binarizer: features that are one of a few, are missing, or are above a
threshold. Categories are integers: what real values are equal to is not known once they are codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from mcuq.graph.tensor import Array
from mcuq.importer.flattening import Flattening, Rule, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of

# From its least to its largest key, of a table that has them all.
_LARGEST_TABLE = 4096


def _of(attributes: Mapping[str, Any], stem: str) -> Array | None:
    """What the attributes have under one of the names that begin so, of one type each."""
    for suffix, dtype in (("int64s", np.int64), ("floats", np.float32), ("strings", object)):
        if (listed := attributes.get(f"{stem}_{suffix}")) is not None and len(listed):
            return np.array(listed, dtype)
    tensor = attributes.get(f"{stem}_tensor")
    return None if tensor is None else numpy_helper.to_array(tensor).reshape(-1)


def _label_encoder(
    flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str
) -> list[Value]:
    """The value of each key, the default of all others; of keys that stand twice the first counts."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    keys, found = _of(attributes, "keys"), _of(attributes, "values")
    if keys is None or found is None or len(keys) != len(found):
        raise ValueError("no value for each key")
    for name, listed in (("keys", keys), ("values", found)):
        if listed.dtype.kind not in ("iu" if name == "keys" else "iuf"):
            raise Stuck(f"{name} of type {_named(listed)} are not supported; use int64")
    if "default_tensor" in attributes:
        default = numpy_helper.to_array(attributes["default_tensor"]).reshape(())
    elif found.dtype.kind == "f":
        default = np.array(attributes.get("default_float", -0.0), np.float32)
    else:
        default = np.array(attributes.get("default_int64", -1), np.int64)
    least, most = int(keys.min()), int(keys.max())
    if most - least >= _LARGEST_TABLE:
        raise Stuck(f"keys from {least} to {most} are too far apart; supported are {_LARGEST_TABLE:,} numbers")
    # One place beside either end is for all that is beyond it.
    table = np.full(most - least + 3, default, found.dtype)
    table[keys[::-1] - least + 1] = found[::-1]
    limits = [flat.constant(np.array(limit, np.int64), f"{prefix}limit") for limit in (least - 1, most + 1)]
    (limited,) = flat.add("Clip", [x, *limits], f"{prefix}limited")
    if least != 1:
        start = flat.constant(np.array(least - 1, np.int64), f"{prefix}start")
        (limited,) = flat.add("Sub", [limited, start], f"{prefix}place")
    return [*flat.add("Gather", [flat.constant(table, f"{prefix}table"), limited], f"{prefix}values", axis=0)]


def _one_hot(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """1 at the category that each element is, 0 at all others, along a dimension that is new."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    categories = np.array(attributes.get("cats_int64s", []), np.int64)
    if not len(categories):
        raise Stuck("has categories that are texts; supported are integers")
    if not attributes.get("zeros", 1):
        raise Stuck("zeros=0 fails at run time where there is no such category; use zeros=1")
    if flat.kind(values[0]) == "float":
        (x,) = flat.add("Cast", [x], f"{prefix}whole", to=TensorProto.INT64)
    column = flat.unsqueezed(x, -1, f"{prefix}column")
    # Of categories that stand twice the last counts.
    listed = categories.tolist()
    is_last = np.array([category not in listed[place + 1 :] for place, category in enumerate(listed)])
    (found,) = flat.add("Equal", [column, flat.constant(categories, f"{prefix}categories")], f"{prefix}found")
    if not is_last.all():
        (found,) = flat.add("And", [found, flat.constant(is_last, f"{prefix}last")], f"{prefix}found")
    return [*flat.add("Cast", [found], f"{prefix}one_hot", to=TensorProto.FLOAT)]


def _imputer(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """A constant of each feature, or of all, in the place of what is missing: NaN, infinity, or a number."""
    attributes, x = attributes_of(node), flat.tensor(values[0])
    if len(integers := attributes.get("imputed_value_int64s", [])):
        filled = flat.constant(np.array(integers, np.int64), f"{prefix}imputed")
        replaced = flat.constant(np.array(attributes.get("replaced_value_int64", 0), np.int64), f"{prefix}replaced")
        (is_missing,) = flat.add("Equal", [x, replaced], f"{prefix}is_missing")
        return [*flat.add("Where", [is_missing, filled, x], f"{prefix}filled")]
    filled = flat.constant(np.array(attributes["imputed_value_floats"], np.float32), f"{prefix}imputed")
    marker = attributes.get("replaced_value_float", 0.0)
    if np.isnan(marker):
        (is_missing,) = flat.add("IsNaN", [x], f"{prefix}is_missing")
    elif np.isinf(marker):
        signs = {"detect_positive": int(marker > 0), "detect_negative": int(marker < 0)}
        (is_missing,) = flat.add("IsInf", [x], f"{prefix}is_missing", **signs)
    elif marker == 0:
        zero = flat.constant(np.array(0, np.float32), f"{prefix}zero")
        (is_missing,) = flat.add("Equal", [x, zero], f"{prefix}is_missing")
    else:
        raise Stuck(
            f"replaced_value_float={marker:g} is not supported, as integers need not have it; mark what is missing by "
            "NaN or 0"
        )
    return [*flat.add("Where", [is_missing, filled, x], f"{prefix}filled")]


def _binarizer(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
    """1 where it is above the threshold, else 0."""
    threshold = flat.constant(np.array(attributes_of(node).get("threshold", 0.0), np.float32), f"{prefix}threshold")
    (is_above,) = flat.add("Greater", [flat.tensor(values[0]), threshold], f"{prefix}is_above")
    return [*flat.add("Cast", [is_above], f"{prefix}binary", to=TensorProto.FLOAT)]


def _named(values: Array) -> str:
    return {"f": "float", "O": "string"}.get(values.dtype.kind, values.dtype.name)


CATEGORIES: Mapping[str, Rule] = {
    "Binarizer": _binarizer,
    "Imputer": _imputer,
    "LabelEncoder": _label_encoder,
    "OneHotEncoder": _one_hot,
}
