"""Labels of ai.onnx.ml, the operators of classic machine learning: numbers, which is all that is computed."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

DOMAIN = "ai.onnx.ml"
# The opset of standard operators from which on those are what these operators are spelled in.
OLDEST_SPELLED = 13


def plain_labels(model: onnx.ModelProto) -> None:
    """Change what of a model is no tensor of numbers: a ZipMap, a dictionary of labels and scores, is the scores, and
    labels that are texts are their indices. Standard operators are imported."""
    if [entry.domain for entry in model.opset_import] == [DOMAIN]:
        model.opset_import.append(helper.make_opsetid("", OLDEST_SPELLED))
    for node in model.graph.node:
        if node.domain != DOMAIN or not node.output:
            continue
        if node.op_type == "ZipMap":
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]
            _state_output(model, node.output[0], TensorProto.FLOAT)
        for attribute in node.attribute:
            if attribute.name == "classlabels_strings" and attribute.strings:
                attribute.name = "classlabels_int64s" if node.op_type.startswith("Tree") else "classlabels_ints"
                attribute.type = onnx.AttributeProto.INTS
                attribute.ints[:] = range(len(attribute.strings))
                del attribute.strings[:]
                _state_output(model, node.output[0], TensorProto.INT64)


def _state_output(model: onnx.ModelProto, name: str, kind: int) -> None:
    for value in (*model.graph.output, *model.graph.value_info):
        if value.name == name:
            value.type.Clear()
            value.type.tensor_type.elem_type = kind
