"""ConvInteger and MatMulInteger wherever they stand: their float form, and what makes real values of their sums.

The float form gives the sums times the scales of its operands. Scales that are constants divide what the sums are
multiplied by; one that is found at run time (DynamicQuantizeLinear) must be a factor of that, and is left out there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from mcuq.graph.tensor import Array
from mcuq.importer.rewriter import Rewriter, attributes_of, inputs_of

_FLOAT_FORM = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
_AXES = {"ConvInteger": (None, 0), "MatMulInteger": (None, -1)}  # along which operands may have zero points
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})
_MOVES = frozenset({"Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten", "Identity"})
# As near to 1 as a product of scales that were rounded to float32.
_ONE = 2.0**-20
# What integers pass on their way from a QuantizeLinear.
_PASSED = _MOVES | {"Slice", "Gather", "MaxPool", "Pad"}


def read_integer_sums(rewriter: Rewriter) -> None:
    """Replace those whose sums become real values; others stay as they are, and are refused."""
    for node in list(rewriter.nodes):
        if node.domain or node.op_type not in _FLOAT_FORM:
            continue
        rewrite = _Rewrite(rewriter, node)
        if rewrite.is_possible():
            gone = {output for n in rewrite.gone for output in n.output}
            kept = [n for n in rewriter.nodes if not gone.intersection(n.output)]
            rewriter.replace([*kept, *rewrite.added])


def moved_again(rewriter: Rewriter, tensor: str, into: list[onnx.NodeProto]) -> str | None:
    """The real values of integers whose range is found at run time, by what moves those after that added to `into`;
    None where it is more than that."""
    path: list[onnx.NodeProto] = []
    while (node := rewriter.producers[tensor]).op_type in _PASSED:
        if node.op_type == "Pad":  # with the integer 0, which is no real one
            return None
        path.append(node)
        tensor = node.input[0]
    if tensor != node.output[0]:
        return None
    real = str(node.input[0])
    for move in reversed(path):
        y = rewriter.fresh(f"{move.output[0]}.real")
        into.append(helper.make_node(move.op_type, [real, *move.input[1:]], [y], y, **attributes_of(move)))
        real = y
    return real


def dynamic_source(producers: dict[str, onnx.NodeProto], tensor: str) -> onnx.NodeProto | None:
    """The DynamicQuantizeLinear that makes the integers `tensor`, behind what only moves them."""
    source = _source(producers, tensor)
    return source if source is not None and source.op_type == "DynamicQuantizeLinear" else None


def _source(producers: dict[str, onnx.NodeProto], tensor: str) -> onnx.NodeProto | None:
    while (node := producers.get(tensor)) is not None and node.op_type in _PASSED and not node.domain:
        tensor = node.input[0]
    return node


@dataclass(frozen=True)
class _Sums:
    """A tensor of sums, or what they are moved or cast to (`is_real`: to floats), and `real`: these times `fixed` and
    all `scales`, which are found at run time."""

    name: str
    real: str
    fixed: float
    scales: tuple[str, ...]
    is_real: bool = False


@dataclass
class _Rewrite:
    """One such node's float form under construction."""

    rewriter: Rewriter
    node: onnx.NodeProto
    added: list[onnx.NodeProto] = field(default_factory=list)
    gone: list[onnx.NodeProto] = field(default_factory=list)

    def is_possible(self) -> bool:
        """Make it, as far as it can be."""
        operands, scales, fixed = [], [], 1.0
        a, b, *zero_points = inputs_of(self.node, 4)
        for tensor, zero_point, axis in zip((a, b), zero_points, _AXES[self.node.op_type], strict=True):
            source = _source(self.rewriter.producers, tensor)
            if source is not None and source.op_type == "DynamicQuantizeLinear":
                # Without a zero point they are codes, which mean something else in each run.
                moved = moved_again(self.rewriter, tensor, self.added) if zero_point == source.output[2] else None
                if moved is None:
                    return False
                operands.append(moved)
                scales.append(source.output[1])
                continue
            step = 1.0
            if source is not None and source.op_type == "QuantizeLinear":
                scale = self.rewriter.constant(source.input[1])
                if scale is None or scale.size != 1:
                    return False
                step = float(scale.reshape(()))
            real = self._real(tensor, step, zero_point, axis)
            if real is None:
                return False
            operands.append(real)
            fixed *= step
        self.gone.append(self.node)
        name = str(self.node.name or self.node.output[0])
        product = self._add(_FLOAT_FORM[self.node.op_type], operands, name, **attributes_of(self.node))
        return self._follow(_Sums(str(self.node.output[0]), product, fixed, tuple(scales)))

    def _real(self, tensor: str, step: float, zero_point: str, axis: int | None) -> str | None:
        """The real values of integers of one scale; None for zero points that are computed, or of rows."""
        value = self.rewriter.constant(zero_point) if zero_point else np.zeros((), np.int8)
        if value is None or (value.size > 1 and axis is None):
            return None
        scale = self._number(np.full(value.size, step) if value.size > 1 else np.array(step))
        return self.rewriter.dequantize(self.added, tensor, scale, zero_point, axis if value.size > 1 else None)

    def _follow(self, sums: _Sums) -> bool:
        """Give what reads the sums their float form; whether all of it could be."""
        readers = self.rewriter.readers(sums.name)
        if sums.is_real and not sums.scales:
            factors = [self._factors_beside(sums, node) for node in readers or ()]
            if not factors or not all(beside and all(map(self._is_constant, beside)) for beside in factors):
                self._give(sums, sums.name, [])
                return True
        return readers is not None and all(self._passed(node, sums) for node in readers)

    def _passed(self, node: onnx.NodeProto, sums: _Sums) -> bool:
        """The same of one reader."""
        self.gone.append(node)
        y, others = str(node.output[0]), [name for name in node.input if name != sums.name]
        if node.domain or len(others) + 1 != len(node.input):
            return False
        if node.op_type in _MOVES:
            moved = self._add(node.op_type, [sums.real, *others], **attributes_of(node))
            return node.input[0] == sums.name and self._follow(replace(sums, name=y, real=moved))
        if node.op_type == "Cast":
            return attributes_of(node)["to"] in _FLOATS and self._follow(replace(sums, name=y, is_real=True))
        if factors := self._factors_beside(sums, node):
            if any(scale not in factors for scale in sums.scales):
                return self._follow(replace(sums, name=y, real=self._add("Mul", [sums.real, others[0]])))
            for scale in sums.scales:
                factors.remove(scale)
            self._give(sums, y, factors)
            return True
        value = self.rewriter.constant(others[0]) if node.op_type in ("Add", "Sub") and not sums.is_real else None
        if value is None or sums.scales:
            return False
        constant = self._number(value * sums.fixed)
        inputs = [sums.real if name == sums.name else constant for name in node.input]
        return self._follow(replace(sums, name=y, real=self._add(node.op_type, inputs)))

    def _factors_beside(self, sums: _Sums, node: onnx.NodeProto) -> list[str]:
        """What a reader multiplies the sums by to make real values; none where it does something else."""
        if node.domain:
            return []
        if node.op_type == "Mul" and sums.is_real:
            others = [name for name in node.input if name != sums.name]
            return self._factors(others[0]) if len(others) == 1 else []
        if node.op_type != "DequantizeLinear" or node.input[0] != sums.name or sums.scales:
            return []
        scale, zero = self.rewriter.constant(node.input[1]), inputs_of(node, 3)[2]
        value = self.rewriter.constant(zero) if zero else np.zeros(())
        is_plain = scale is not None and scale.size == 1 and value is not None and not value.any()
        return [str(node.input[1])] if is_plain else []

    def _give(self, sums: _Sums, y: str, factors: list[str]) -> None:
        """The sums times `factors`, without their scales, as `y`: all constants as one, none where that is 1."""
        real = sums.real
        factor: Array = np.array(1 / sums.fixed)
        for name in factors:
            value = self.rewriter.constant(name)
            if value is None:
                real = self._add("Mul", [real, name])
            else:
                factor = factor * value.astype(np.float64)
        if np.abs(factor - 1).max() < _ONE:
            self.added.append(helper.make_node("Identity", [real], [y], y))
        else:
            self.added.append(helper.make_node("Mul", [real, self._number(factor)], [y], y))

    def _is_constant(self, name: str) -> bool:
        return self.rewriter.constant(name) is not None

    def _factors(self, tensor: str) -> list[str]:
        """What is multiplied to make a tensor."""
        node = self.rewriter.producers.get(tensor)
        if node is None or node.op_type != "Mul" or node.domain:
            return [tensor]
        return [factor for name in node.input for factor in self._factors(name)]

    def _add(self, op_type: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        y = self.rewriter.fresh(f"{self.node.output[0]}.real")
        self.added.append(helper.make_node(op_type, inputs, [y], name or y, **attributes))
        return y

    def _number(self, value: Array) -> str:
        return self.rewriter.store(f"{self.node.output[0]}.factor", np.asarray(value, np.float32))
