"""LayerNormalization that a file spells as ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt and Div, as exporters do
below opset 17."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuq.graph.tensor import Array
from mcuq.importer.rewriter import Rewriter, attributes_of, inputs_of


def read_layer_norm(rewriter: Rewriter) -> None:
    """One node for each, with the Mul and the Add of constants behind it as scale and bias.

    What lies between stays for others that read it.
    """
    made: dict[str, list[onnx.NodeProto]] = {}
    for node in rewriter.nodes:
        if node.op_type == "Div" and not node.domain and len(node.output) == 1:
            last, nodes = _normalization(rewriter, node)
            made |= {last: nodes} if nodes else {}
    if made:
        rewriter.replace([new for node in rewriter.nodes for new in made.get(next(iter(node.output), ""), [node])])


def _normalization(rewriter: Rewriter, div: onnx.NodeProto) -> tuple[str, list[onnx.NodeProto]]:
    """(the output that it gives, its nodes); none where the Div is of anything else."""
    nothing: tuple[str, list[onnx.NodeProto]] = ("", [])
    deviation, root = inputs_of(div, 2)
    total = _made_by(rewriter, _inputs(rewriter, root, "Sqrt", 1)[0], "Add")
    if total is None:
        return nothing
    variance, epsilon = _with_constant(rewriter, inputs_of(total, 2))
    squares, axes = _mean(rewriter, variance)
    x, mean = _inputs(rewriter, deviation, "Sub", 2)
    is_layer_norm = (
        epsilon is not None
        and epsilon.size == 1
        and epsilon.dtype.kind == "f"
        and _is_square(rewriter, squares, deviation)
        and _mean(rewriter, mean) == (x, axes)
        and axes != ()
        and axes == tuple(range(-len(axes), 0))
    )
    if not is_layer_norm or epsilon is None:
        return nothing
    y = div.output[0]
    y, scale = _next_constant(rewriter, y, "Mul")
    nodes = []
    if not scale:
        scale = rewriter.fresh(f"{y}.scale")
        nodes.append(helper.make_node("Constant", [], [scale], value=numpy_helper.from_array(np.ones(1, np.float32))))
    y, bias = _next_constant(rewriter, y, "Add")
    inputs = [x, scale, bias] if bias else [x, scale]
    value = float(epsilon.reshape(()))
    nodes.append(helper.make_node("LayerNormalization", inputs, [y], str(div.name or y), axis=axes[0], epsilon=value))
    return y, nodes


def _made_by(rewriter: Rewriter, name: str, op_type: str) -> onnx.NodeProto | None:
    node = rewriter.producers.get(name)
    return node if node is not None and node.op_type == op_type and not node.domain else None


def _inputs(rewriter: Rewriter, name: str, op_type: str, count: int) -> list[str]:
    """Those of the operator that makes the tensor, "" where another does."""
    node = _made_by(rewriter, name, op_type)
    return [""] * count if node is None else inputs_of(node, count)


def _with_constant(rewriter: Rewriter, names: Sequence[str]) -> tuple[str, Array | None]:
    """(the computed one of two tensors, the value of the other)."""
    a, b = names
    value = rewriter.constant(b)
    return (a, value) if value is not None else (b, rewriter.constant(a))


def _mean(rewriter: Rewriter, name: str) -> tuple[str, tuple[int, ...]]:
    """(what the tensor is the mean of, along which axes in order), or ("", ()); dimensions stay."""
    node = _made_by(rewriter, name, "ReduceMean")
    if node is None:
        return "", ()
    attributes = attributes_of(node)
    x, given = inputs_of(node, 2)
    axes = rewriter.constant(given) if given else np.array(attributes.get("axes", ()), np.int64)
    if axes is None or axes.dtype.kind not in "iu" or not attributes.get("keepdims", 1):
        return "", ()
    return x, tuple(sorted(axes.reshape(-1).tolist()))


def _is_square(rewriter: Rewriter, name: str, of: str) -> bool:
    if _inputs(rewriter, name, "Mul", 2) == [of, of]:
        return True
    base, exponent = _inputs(rewriter, name, "Pow", 2)
    value = rewriter.constant(exponent)
    return base == of and value is not None and value.size == 1 and bool(value == 2)


def _next_constant(rewriter: Rewriter, name: str, op_type: str) -> tuple[str, str]:
    """(the output, the constant operand) of the one operator that reads the tensor; (name, "") where it is another."""
    node = rewriter.only_reader(name)
    if node is None or node.op_type != op_type or node.domain or len(node.input) != 2:
        return name, ""
    other = node.input[1] if node.input[0] == name else node.input[0]
    return (node.output[0], other) if rewriter.constant(other) is not None else (name, "")
