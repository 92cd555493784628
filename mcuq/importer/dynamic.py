"""Layers whose activation ranges are found at run time: their weights are kept, their ranges calibrated.

ONNX Runtime's quantize_dynamic writes DynamicQuantizeLinear, then ConvInteger or MatMulInteger, a Cast of the sums to
float, and a Mul by the product of the two scales; its optimizer makes one operator of that. An LSTM becomes one
operator with integer weights.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper

from mcuq.importer.integer_sums import dynamic_source, moved_again
from mcuq.importer.rewriter import Rewriter, attributes_of, inputs_of

_FLOAT_FORM = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
_FUSED = ("DynamicQuantizeMatMul", "MatMulIntegerToFloat")
_LSTM = "DynamicQuantizeLSTM"
_WEIGHT_AXIS = {"ConvInteger": 0, "MatMulInteger": -1}


def asking_layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that read, or are, what is quantized in ranges found at run time, in the order of the file."""
    producers = {output: node for node in model.graph.node for output in node.output}
    names = (*_FLOAT_FORM, *_FUSED)
    return [
        node
        for node in model.graph.node
        if node.op_type in ("DynamicQuantizeMatMul", _LSTM)
        or (node.op_type in names and any(dynamic_source(producers, operand) for operand in node.input[:2]))
    ]


def read_dynamic(rewriter: Rewriter) -> None:
    """Replace such layers by their float form on dequantized weights; others stay as they are."""
    gone: set[str] = set()
    added: dict[str, list[onnx.NodeProto]] = {}
    for node in rewriter.nodes:
        found = _fused(rewriter, node) or _lstm(rewriter, node) or _spelled_out(rewriter, node) or _copy(rewriter, node)
        if found:
            nodes, replaced = found
            added[replaced[-1].output[0]] = nodes
            gone.update(n.output[0] for n in replaced)
    if not added:
        return
    nodes = []
    for node in rewriter.nodes:
        nodes += added.get(node.output[0], [])
        if node.output[0] not in gone:
            nodes.append(node)
    rewriter.replace(nodes)


_Rewrite = tuple[list[onnx.NodeProto], list[onnx.NodeProto]]
"""The nodes to add, and those that they stand for, the last of which gives the output."""


def _spelled_out(rewriter: Rewriter, node: onnx.NodeProto) -> _Rewrite | None:
    if node.domain or node.op_type not in _FLOAT_FORM:
        return None
    x, weight, x_zero_point, weight_zero_point = inputs_of(node, 4)
    source = rewriter.producers.get(x)
    if source is None or source.op_type != "DynamicQuantizeLinear" or x_zero_point not in ("", source.output[2]):
        return None
    if dynamic_source(rewriter.producers, weight) is not None:
        return None
    cast = rewriter.only_reader(node.output[0])
    if cast is None or cast.op_type != "Cast" or attributes_of(cast).get("to") != TensorProto.FLOAT:
        return None
    scaled = rewriter.only_reader(cast.output[0])
    if scaled is None or scaled.op_type != "Mul":
        return None
    scales = rewriter.producers.get(next(name for name in scaled.input if name != cast.output[0]))
    if scales is None or scales.op_type != "Mul" or source.output[1] not in scales.input:
        return None
    weight_scale = next((name for name in scales.input if name != source.output[1]), "")
    nodes: list[onnx.NodeProto] = []
    real = rewriter.dequantize(nodes, weight, weight_scale, weight_zero_point, _WEIGHT_AXIS[node.op_type])
    inputs, attributes = [source.input[0], real], attributes_of(node)
    nodes.append(_layer(node, _FLOAT_FORM[node.op_type], inputs, scaled.output[0], attributes))
    return nodes, [node, cast, scaled]


def _fused(rewriter: Rewriter, node: onnx.NodeProto) -> _Rewrite | None:
    if node.op_type not in _FUSED:
        return None
    if node.op_type == "DynamicQuantizeMatMul":
        a, weight, scale, zero_point, bias = inputs_of(node, 5)
    else:
        x, weight, _x_scale, scale, _x_zero_point, zero_point, bias = inputs_of(node, 7)
        source = rewriter.producers.get(x)
        if source is None or source.op_type != "DynamicQuantizeLinear":
            return None
        a = source.input[0]
    nodes: list[onnx.NodeProto] = []
    real = rewriter.dequantize(nodes, weight, scale, zero_point, -1)
    product = rewriter.fresh(f"{node.output[0]}.product") if bias else node.output[0]
    nodes.append(_layer(node, "MatMul", [a, real], product, {}))
    if bias:
        nodes.append(helper.make_node("Add", [product, bias], [node.output[0]], f"{node.output[0]}.bias"))
    return nodes, [node]


def _lstm(rewriter: Rewriter, node: onnx.NodeProto) -> _Rewrite | None:
    """LSTM whose weights are (directions, features, rows) and have a scale a direction, or one a row of each."""
    if node.op_type != _LSTM:
        return None
    x, weight, recurrent, *others, w_scale, w_zero_point, r_scale, r_zero_point = inputs_of(node, 12)
    nodes: list[onnx.NodeProto] = []
    reals = [
        _rows_first(rewriter, nodes, *given)
        for given in ((weight, w_scale, w_zero_point), (recurrent, r_scale, r_zero_point))
    ]
    if not all(reals):
        return None
    layer = _layer(node, "LSTM", [x, *map(str, reals), *others], node.output[0], attributes_of(node))
    layer.output.extend(node.output[1:])
    return [*nodes, layer], [node]


def _rows_first(
    rewriter: Rewriter, nodes: list[onnx.NodeProto], weight: str, scale: str, zero_point: str
) -> str | None:
    """The real weights (directions, rows, features) of such an LSTM; None where their numbers are no constants."""
    values, scales, zero_points = map(rewriter.constant, (weight, scale, zero_point))
    if values is None or scales is None or zero_points is None or values.ndim != 3:
        return None
    parts = [(weight, scale, zero_point, 0)]
    if scales.ndim == 2:
        parts = [
            (
                rewriter.store(f"{weight}.{d}", values[d : d + 1]),
                rewriter.store(f"{scale}.{d}", scales[d]),
                rewriter.store(f"{zero_point}.{d}", zero_points[d]),
                2,
            )
            for d in range(len(values))
        ]
    turned = []
    for x, own_scale, own_zero_point, axis in parts:
        real = rewriter.dequantize(nodes, x, own_scale, own_zero_point, axis)
        turned.append(rewriter.fresh(f"{x}.rows"))
        nodes.append(helper.make_node("Transpose", [real], [turned[-1]], turned[-1], perm=[0, 2, 1]))
    if len(turned) == 1:
        return turned[0]
    joined = rewriter.fresh(f"{weight}.rows")
    nodes.append(helper.make_node("Concat", turned, [joined], joined, axis=0))
    return joined


def _copy(rewriter: Rewriter, node: onnx.NodeProto) -> _Rewrite | None:
    """DequantizeLinear of a DynamicQuantizeLinear: the tensor itself, maybe moved, in a range found at run time."""
    if node.op_type != "DequantizeLinear":
        return None
    source = dynamic_source(rewriter.producers, node.input[0])
    if source is None or inputs_of(node, 3)[1:] != list(source.output[1:]):
        return None
    nodes: list[onnx.NodeProto] = []
    real = moved_again(rewriter, node.input[0], nodes)
    if real is None:
        return None
    return [*nodes, helper.make_node("Identity", [real], [node.output[0]], node.name)], [node]


def _layer(
    node: onnx.NodeProto, op_type: str, inputs: list[str], output: str, attributes: dict[str, Any]
) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, [output], str(node.name or node.output[0]), **attributes)
