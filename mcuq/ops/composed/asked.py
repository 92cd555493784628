"""What ONNX Runtime makes of one node: how operators learn constants that hang on its rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode
from mcuq.onnx_runtime import RuntimeFault, Session

MOST_ELEMENTS = 2**26  # before and after: no tensor on a microcontroller has as many


def given_inputs(node: OnnxNode) -> list[int]:
    """The indices of what the node has behind its first input."""
    return [index for index in range(1, len(node.inputs)) if node.has(index)]


# Operators of which ONNX Runtime (1.32) lacks the newest definition -> the last opset before it, which means the same.
_OPSETS = {"AffineGrid": 20, "RoiAlign": 21}


def output_of(
    node: OnnxNode, x: Array, constants: Mapping[int, Array], attributes: Mapping[str, Any] | None = None
) -> Array:
    """The node's output for a first input `x` and `constants` in the places of its others.

    `attributes` are those that differ from its own. Raises ModelError where the runtime refuses.
    """
    # An empty list has no type; what may be one is as good as left out.
    own = {name: value for name, value in {**node.attributes, **(attributes or {})}.items() if value != ()}
    inputs = ["x", *(f"input {index}" if index in constants else "" for index in range(1, len(node.inputs)))]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph(
        [helper.make_node(node.op_type, inputs, ["y"], **own)],
        "asked",
        [helper.make_tensor_value_info("x", kind, x.shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.ascontiguousarray(value), inputs[index]) for index, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", min(node.opset, _OPSETS.get(node.op_type, node.opset)))],
        ir_version=8,
    )
    most_bytes = MOST_ELEMENTS * x.itemsize
    try:
        session = Session(model.SerializeToString(), optimize=False, memory_bytes=2 * most_bytes)
        (y,) = session.run({"x": x}, ["y"], most_bytes)
    except RuntimeFault as fault:
        raise node.error(f"cannot be computed: {fault}") from None
    return y
