"""Operators on integers as their float form between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper

from mcuq.errors import ModelError
from mcuq.importer.rewriter import Rewriter, attributes_of, inputs_of

MICROSOFT = "com.microsoft"


def read_qlinear(rewriter: Rewriter) -> None:
    """Replace what READERS knows, and let Q/DQ of ONNX Runtime's own domain be those of ONNX."""
    nodes: list[onnx.NodeProto] = []
    for node in rewriter.nodes:
        read = READERS.get((node.domain, node.op_type))
        if read is not None:
            read(_Operator(rewriter, node, nodes))
        elif node.domain == MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            standard = onnx.NodeProto()
            standard.CopyFrom(node)
            standard.domain = ""
            nodes.append(standard)
        else:
            nodes.append(node)
    if any(a is not b for a, b in zip(nodes, rewriter.nodes, strict=False)) or len(nodes) != len(rewriter.nodes):
        rewriter.replace(nodes)


@dataclass(frozen=True)
class _Operator:
    """One operator on integers, and the list that its float form is added to."""

    rewriter: Rewriter
    node: onnx.NodeProto
    into: list[onnx.NodeProto]

    @property
    def name(self) -> str:
        return str(self.node.name or self.node.output[0])

    @property
    def attributes(self) -> dict[str, Any]:
        return attributes_of(self.node)

    def error(self, text: str) -> ModelError:
        return ModelError(f"{self.node.op_type} '{self.name}': {text}")

    def inputs(self, count: int) -> list[str]:
        return inputs_of(self.node, count)

    def real(self, x: str, scale: str, zero_point: str, axis: int | None = None) -> str:
        return self.rewriter.dequantize(self.into, x, scale, zero_point, axis)

    def bias(self, q: str, x_scale: str, weight_scale: str) -> str:
        """Real values of an int32 bias, whose scale is that of the products."""
        scale = self.rewriter.fresh(f"{q}.scale")
        self.into.append(helper.make_node("Mul", [x_scale, weight_scale], [scale], scale))
        return self.real(q, scale, "", axis=-1)

    def is_channels_last(self) -> bool:
        return bool(self.attributes.get("channels_last", 0))

    def turned(self, x: str, rank: int, to_last: bool, output: str | None = None) -> str:
        """x with its channels, the last dimension, as the second; or `to_last` the other way round."""
        perm = [0, *range(2, rank), 1] if to_last else [0, rank - 1, *range(1, rank - 1)]
        y = output or self.rewriter.fresh(f"{x}.turned")
        self.into.append(helper.make_node("Transpose", [x], [y], y, perm=perm))
        return y

    def compute_image(
        self, op_type: str, inputs: list[str], y_scale: str, y_zero_point: str, rank: int, **attributes: Any
    ) -> None:
        """`compute` of an operator on images, whose channels may be last."""
        is_last = attributes.pop("channels_last", 0)
        if not is_last:
            self.compute(op_type, inputs, y_scale, y_zero_point, **attributes)
            return
        x, *others = inputs
        y = self.rewriter.fresh(f"{self.node.output[0]}.first")
        inputs = [self.turned(x, rank, to_last=False), *others]
        self.into.append(helper.make_node(op_type, inputs, [y], self.name, **attributes))
        real = self.turned(y, rank, to_last=True)
        self.give(real, y_scale, y_zero_point)

    def give(self, real: str, y_scale: str, y_zero_point: str) -> None:
        """The output, quantized."""
        quantization = [y_scale, y_zero_point] if y_zero_point else [y_scale]
        output = self.node.output[0]
        self.into.append(helper.make_node("QuantizeLinear", [real, *quantization], [output], f"{output}.quantize"))

    def compute(self, op_type: str, inputs: list[str], y_scale: str, y_zero_point: str, **attributes: Any) -> None:
        """The float operator; its output is quantized where the node gives integers."""
        output = self.node.output[0]
        real = self.rewriter.fresh(f"{output}.exact") if y_scale else output
        self.into.append(helper.make_node(op_type, inputs, [real], self.name, **attributes))
        if y_scale:
            self.give(real, y_scale, y_zero_point)


def _conv(op: _Operator) -> None:
    x, xs, xz, w, ws, wz, ys, yz, b = op.inputs(9)
    inputs = [op.real(x, xs, xz), op.real(w, ws, wz, axis=0)]
    if b:
        inputs.append(op.bias(b, xs, ws))
    weight = op.rewriter.constant(w)
    if op.is_channels_last() and weight is None:
        raise op.error("w must be a constant; export the model with fixed weights and shapes")
    op.compute_image("Conv", inputs, ys, yz, 0 if weight is None else weight.ndim, **op.attributes)


def _matmul(op: _Operator) -> None:
    a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = op.inputs(8)
    # Scales of a's rows or b's columns: for the constant one of the two, those of the outputs.
    inputs = [op.real(a, a_scale, a_zero, axis=-2), op.real(b, b_scale, b_zero, axis=-1)]
    op.compute("MatMul", inputs, ys, yz)


def _gemm(op: _Operator) -> None:
    a, a_scale, a_zero, b, b_scale, b_zero, c, ys, yz = op.inputs(9)
    attributes = op.attributes
    inputs = [op.real(a, a_scale, a_zero), op.real(b, b_scale, b_zero, axis=0 if attributes.get("transB") else 1)]
    if c:
        if attributes.get("alpha", 1.0) != 1:
            raise op.error(f"alpha={attributes['alpha']:g} with C is not supported; use alpha=1")
        inputs.append(op.bias(c, a_scale, b_scale))
    op.compute("Gemm", inputs, ys, yz, **attributes)


def _binary(op_type: str) -> Callable[[_Operator], None]:
    def read(op: _Operator) -> None:
        a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = op.inputs(8)
        op.compute(op_type, [op.real(a, a_scale, a_zero), op.real(b, b_scale, b_zero)], ys, yz)

    return read


def _unary(op_type: str) -> Callable[[_Operator], None]:
    def read(op: _Operator) -> None:
        x, xs, xz, ys, yz = op.inputs(5)
        op.compute(op_type, [op.real(x, xs, xz)], ys, yz, **op.attributes)

    return read


def _pool(op_type: str) -> Callable[[_Operator], None]:
    def read(op: _Operator) -> None:
        x, xs, xz, ys, yz = op.inputs(5)
        rank = len(op.attributes.get("kernel_shape", ())) + 2
        op.compute_image(op_type, [op.real(x, xs, xz)], ys, yz, rank, **op.attributes)

    return read


def _global_pool(op: _Operator) -> None:
    x, xs, xz, ys, yz = op.inputs(5)
    rank = op.rewriter.rank(x)
    if op.is_channels_last() and rank is None:
        raise op.error("channels_last=1 of a tensor whose rank is not known; use channels first (channels_last=0)")
    op.compute_image("GlobalAveragePool", [op.real(x, xs, xz)], ys, yz, rank or 0, **op.attributes)


def _nhwc_max_pool(op: _Operator) -> None:
    """The integers themselves are compared."""
    rank = len(op.attributes.get("kernel_shape", ())) + 2
    y = op.rewriter.fresh(f"{op.node.output[0]}.first")
    x = op.turned(op.inputs(1)[0], rank, to_last=False)
    op.into.append(helper.make_node("MaxPool", [x], [y], op.name, **op.attributes))
    op.turned(y, rank, to_last=True, output=op.node.output[0])


def _where(op: _Operator) -> None:
    condition, x, xs, xz, other, others, otherz, ys, yz = op.inputs(9)
    op.compute("Where", [condition, op.real(x, xs, xz), op.real(other, others, otherz)], ys, yz)


def _matmul_to_float(op: _Operator) -> None:
    """With constant scales; those found at run time are read before."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = op.inputs(7)
    inputs = [op.real(a, a_scale, a_zero), op.real(b, b_scale, b_zero, axis=-1)]
    if not bias:
        op.compute("MatMul", inputs, "", "")
        return
    product, output = op.rewriter.fresh(f"{op.node.output[0]}.product"), op.node.output[0]
    op.into.append(helper.make_node("MatMul", inputs, [product], op.name))
    op.into.append(helper.make_node("Add", [product, bias], [output], f"{output}.bias"))


def _softmax(op: _Operator) -> None:
    x, xs, xz, ys, yz = op.inputs(5)
    attributes = op.attributes
    axis = attributes.get("axis", -1)
    # Before opset 13 all dimensions from `axis` on were one; with the last alone both meanings are the same.
    if attributes.get("opset", 13) < 13 and axis != -1:
        raise op.error(f"axis={axis} of opset {attributes['opset']} is not supported; use axis=-1, or opset 13")
    op.compute("Softmax", [op.real(x, xs, xz)], ys, yz, axis=axis)


def _concat(op: _Operator) -> None:
    ys, yz, *parts = op.node.input
    inputs = [op.real(*parts[i : i + 3]) for i in range(0, len(parts), 3)]
    op.compute("Concat", inputs, ys, yz, **op.attributes)


READERS: dict[tuple[str, str], Callable[[_Operator], None]] = {
    ("", "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _matmul,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearAdd"): _binary("Add"),
    (MICROSOFT, "QLinearMul"): _binary("Mul"),
    (MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (MICROSOFT, "QLinearAveragePool"): _pool("AveragePool"),
    (MICROSOFT, "QLinearConv"): _conv,
    (MICROSOFT, "QLinearGlobalAveragePool"): _global_pool,
    (MICROSOFT, "QLinearReduceMean"): _unary("ReduceMean"),
    (MICROSOFT, "QLinearWhere"): _where,
    (MICROSOFT, "NhwcMaxPool"): _nhwc_max_pool,
    (MICROSOFT, "MatMulIntegerToFloat"): _matmul_to_float,
    (MICROSOFT, "QLinearSoftmax"): _softmax,
    (MICROSOFT, "QLinearConcat"): _concat,
}
"""(domain, operator type) -> what adds its float form."""
