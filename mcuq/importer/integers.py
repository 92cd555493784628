"""Tensors that are integers in the file: inputs that stay such, or are the real values that a Cast makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import onnx
from onnx import TensorProto, helper

from mcuq.graph.tensor import LARGEST_INTEGER, Integers, Quant
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops import INTEGERS_FROM_ONNX

# ONNX's types of integers, and which of them an input may be.
INTEGER_RANGES: Mapping[str, tuple[int, int]] = {
    "bool": (0, 1),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-LARGEST_INTEGER, LARGEST_INTEGER),
    "uint32": (0, LARGEST_INTEGER),
    "int64": (-LARGEST_INTEGER, LARGEST_INTEGER),
    "uint64": (0, LARGEST_INTEGER),
}
# Of those what a computed one holds, as far as int32 does: runtimes wrap around what is beyond.
NARROW_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    **{kind: INTEGER_RANGES[kind] for kind in ("int8", "uint8", "int16", "uint16")},
    **dict.fromkeys(("uint32", "uint64"), (0, 2**31 - 1)),
}


def input_quant(
    name: str, element_type: str, nodes: Iterable[onnx.NodeProto], outputs: Collection[str]
) -> Quant | None:
    """What an input of the file's type holds: integers, or, where all that reads it makes floats of it and it is of no
    booleans, real values.

    Those of 8 bits have a grid that holds each of them; others, and floats, are None, for calibration to find theirs.
    """
    if element_type not in INTEGER_RANGES:
        return None
    low, high = INTEGER_RANGES[element_type]
    if element_type == "bool" or not _is_real(name, list(nodes), outputs):
        return Integers.of(low, high)
    return Quant((1.0,), 0 if low < 0 or high < 128 else -128) if high - low < 256 else None


def _is_real(name: str, nodes: list[onnx.NodeProto], outputs: Collection[str]) -> bool:
    """Whether all that reads the tensor, behind what only moves it, is a Cast to float, and something does."""
    pending, seen, casts = [name], {name}, 0
    while pending:
        tensor = pending.pop()
        if tensor in outputs:
            return False
        for node in nodes:
            if tensor not in node.input:
                continue
            if node.op_type in _MOVES and list(node.input).index(tensor) == 0:
                new = [output for output in node.output if output and output not in seen]
                seen.update(new)
                pending += new
            elif _casts_to_float(node):
                casts += 1
            else:
                return False
    return casts > 0


# Of one input that is moved.
_MOVES = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice", "DepthToSpace", "SpaceToDepth"}
)


def _casts_to_float(node: onnx.NodeProto) -> bool:
    to = [helper.get_attribute_value(a) for a in node.attribute if a.name == "to"]
    return node.op_type == "Cast" and not node.domain and to == [TensorProto.FLOAT]


def check_integers(node: OnnxNode) -> None:
    """Raise ModelError where the operator reads integers and has no meaning for them here."""
    if node.reads_integers and node.op_type not in INTEGERS_FROM_ONNX:
        known = ", ".join(sorted(INTEGERS_FROM_ONNX))
        raise node.error(
            f"computes with integers, which is not supported; put a Cast to float before it, or use {known}"
        )
