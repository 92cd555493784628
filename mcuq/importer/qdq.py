"""Every quantized form of ONNX becomes one: float operators between DequantizeLinear and QuantizeLinear (Q/DQ).

Operators on integers (QLinearConv, QGemm, ...) are their float form between DequantizeLinear and QuantizeLinear; those
with ranges found at run time (ConvInteger behind DynamicQuantizeLinear) are their float form on dequantized weights, as
are all whose sums of integers become real values behind them.
Sources: the operator documentation of ONNX, and of ONNX Runtime for domain com.microsoft (docs/ContribOperators.md).
"""

from __future__ import annotations

import onnx

from mcuq.importer.blocked import read_blocked
from mcuq.importer.dynamic import asking_layers, read_dynamic
from mcuq.importer.integer_sums import read_integer_sums
from mcuq.importer.qlinear import read_qlinear
from mcuq.importer.rewriter import Rewriter


def to_qdq(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its quantization said by QuantizeLinear and DequantizeLinear alone, and float operators.

    What is not one of the known forms stays as it is.
    """
    rewriter = Rewriter(model)
    read_blocked(rewriter)
    read_dynamic(rewriter)
    read_integer_sums(rewriter)
    read_qlinear(rewriter)
    return rewriter.model()


def dynamic_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the layers that ask for ranges found at run time and have their float form instead, in the order of the
    file."""
    asking = asking_layers(model)
    if not asking:
        return ()
    left = {(node.op_type, node.output[0]) for node in to_qdq(model).graph.node}
    return tuple(str(n.name or n.output[0]) for n in asking if (n.op_type, n.output[0]) not in left)
