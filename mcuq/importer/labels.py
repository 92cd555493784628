"""Labels of ai.onnx.ml, the operators of classic machine learning: numbers, which is all that is computed. Texts are
their places in a list, which the model notes for whoever reads the numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mcuq.importer.rewriter import attributes_of
from mcuq.onnx_io.provenance import note_names

DOMAIN = "ai.onnx.ml"
# The opset of standard operators from which on those are what these operators are spelled in.
OLDEST_SPELLED = 13
# Of their first input they pass on what it is, in other places.
_PICKS = frozenset({"ArrayFeatureExtractor", "Gather"})
_MOVES = _PICKS | {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_UNKNOWN_TEXT = "_Unused"  # what ONNX gives for keys without a value


def plain_labels(model: onnx.ModelProto) -> None:
    """Change what of a model is no tensor of numbers: a ZipMap, a dictionary of labels and scores, is the scores, and
    texts that are labels are their indices. Standard operators are imported."""
    if [entry.domain for entry in model.opset_import] == [DOMAIN]:
        model.opset_import.append(helper.make_opsetid("", OLDEST_SPELLED))
    names = _names_of_weights(model.graph)
    columns: dict[str, list[str]] = {}
    for node in model.graph.node:
        if not node.output:
            continue
        own = {attribute.name: attribute for attribute in node.attribute}
        if node.domain == DOMAIN and node.op_type == "ZipMap":
            if "classlabels_strings" in own:
                columns[node.output[0]] = _texts(own["classlabels_strings"].strings)
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]
            _state_output(model, node.output[0], TensorProto.FLOAT)
        elif node.domain == DOMAIN and node.op_type in ("LabelEncoder", "CategoryMapper"):
            _encode(node, names)
        elif node.domain == DOMAIN and "classlabels_strings" in own and own["classlabels_strings"].strings:
            attribute = own["classlabels_strings"]
            names[node.output[0]] = _texts(attribute.strings)
            attribute.name = "classlabels_int64s" if node.op_type.startswith("Tree") else "classlabels_ints"
            attribute.type = onnx.AttributeProto.INTS
            attribute.ints[:] = range(len(attribute.strings))
            del attribute.strings[:]
        elif node.input and node.input[0] in names and (node.op_type in _MOVES or _is_cast_to_text(node)):
            names[node.output[0]] = names[node.input[0]]
            if node.op_type == "Cast":
                node.op_type = "Identity"
                del node.attribute[:]
    for name in names:
        _state_output(model, name, TensorProto.INT64)
    note_names(model, names, columns)


def _names_of_weights(graph: onnx.GraphProto) -> dict[str, list[str]]:
    """The texts of weights that only are picked from, which become their indices."""
    names: dict[str, list[str]] = {}
    for tensor in graph.initializer:
        readers = [node for node in graph.node if tensor.name in node.input]
        is_moved = all(node.op_type in _MOVES and list(node.input).index(tensor.name) == 0 for node in readers)
        is_picked = is_moved and any(node.op_type in _PICKS for node in readers)
        if tensor.data_type != TensorProto.STRING or not is_picked:
            continue
        texts = _texts(tensor.string_data)
        unique = [*dict.fromkeys(texts)]
        names[tensor.name] = unique
        indices = np.array([unique.index(text) for text in texts], np.int64).reshape(tuple(tensor.dims))
        tensor.CopyFrom(numpy_helper.from_array(indices, tensor.name))
    return names


def _encode(node: onnx.NodeProto, names: dict[str, list[str]]) -> None:
    """LabelEncoder and CategoryMapper from and to texts: from and to their indices."""
    given = attributes_of(node)
    known = names.get(node.input[0])
    keys, values = _listed(given, "keys"), _listed(given, "values")
    if "classes_strings" in given:
        texts = _texts(given["classes_strings"])
        keys, values = (texts, [*range(len(texts))]) if known else ([*range(len(texts))], texts)
    elif "cats_strings" in given:
        texts, numbers = _texts(given["cats_strings"]), [*given["cats_int64s"]]
        keys, values = (texts, numbers) if known else (numbers, texts)
    if keys is None or values is None or len(keys) != len(values):
        return
    pairs = [*zip(keys, values, strict=True)]
    if isinstance(keys[0], str):
        if known is None:
            return  # an input of texts, which is refused
        pairs = [(known.index(key), value) for key, value in pairs if key in known]
    default = given.get("default_tensor")
    if any(isinstance(value, str) for _, value in pairs):
        spare = given.get("default_string", _UNKNOWN_TEXT.encode()).decode()
        if default is not None:
            (spare,) = _texts(numpy_helper.to_array(default).reshape(-1).tolist())
        unique = [*dict.fromkeys([*(value for _, value in pairs), spare])]
        names[node.output[0]] = unique
        pairs = [(key, unique.index(value)) for key, value in pairs]
        given = {"default_int64": unique.index(spare)}
    own: dict[str, Any] = {name: given[name] for name in ("default_int64", "default_float") if name in given}
    if default is not None and default.data_type != TensorProto.STRING:
        own["default_tensor"] = default
    kind = "floats" if any(isinstance(value, float) for _, value in pairs) else "int64s"
    kind_of_keys = "floats" if any(isinstance(key, float) for key, _ in pairs) else "int64s"
    own |= {f"keys_{kind_of_keys}": [key for key, _ in pairs], f"values_{kind}": [value for _, value in pairs]}
    node.op_type = "LabelEncoder"
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in own.items() if value != [])


def _listed(given: dict[str, Any], stem: str) -> list[Any] | None:
    """What the attributes have under one of the names that begin so; texts as such."""
    for suffix in ("int64s", "floats", "strings"):
        if found := given.get(f"{stem}_{suffix}"):
            return _texts(found) if suffix == "strings" else [*found]
    if f"{stem}_tensor" not in given:
        return None
    values = numpy_helper.to_array(given[f"{stem}_tensor"]).reshape(-1).tolist()
    return _texts(values) if values and isinstance(values[0], str | bytes) else values


def _texts(values: Iterable[bytes | str]) -> list[str]:
    return [value if isinstance(value, str) else value.decode(errors="replace") for value in values]


def _is_cast_to_text(node: onnx.NodeProto) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i == TensorProto.STRING for a in node.attribute)


def _state_output(model: onnx.ModelProto, name: str, kind: int) -> None:
    for value in (*model.graph.output, *model.graph.value_info):
        if value.name == name:
            value.type.Clear()
            value.type.tensor_type.elem_type = kind
