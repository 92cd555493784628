"""Models of opsets before the oldest that is read, by ONNX's own converter."""

from __future__ import annotations

import onnx
from onnx import defs, version_converter

from mcuq.errors import ModelError


def at_least(model: onnx.ModelProto, version: int, oldest: int, name: str) -> onnx.ModelProto:
    """The model of opset `version` as one of opset `oldest`. Raises ModelError where an operator has no such form."""
    if version >= oldest:
        return model
    where = f"{name}: opset {version} cannot be brought to opset {oldest}"
    kinds = {node.op_type for node in model.graph.node if not node.domain}
    if gone := sorted(kind for kind in kinds if not defs.has(kind)):
        raise ModelError(f"{where}, which has no {', '.join(gone)}; export with opset {oldest} or later")
    try:
        return version_converter.convert_version(model, oldest)
    except (RuntimeError, ValueError, IndexError, version_converter.ConvertError):  # its words are of its own code
        raise ModelError(f"{where}; export with opset {oldest} or later") from None
