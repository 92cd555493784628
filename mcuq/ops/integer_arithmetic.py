"""IntegerArithmetic: sums, products and the like of integers that stand for themselves, and logic of booleans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.arithmetic.integers import (
    integer_modulo,
    integer_quotient,
    integer_remainder,
    within_long,
    wrapped_add,
    wrapped_mul,
    wrapped_sub,
)
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOneOutput, FromOnnx, OnnxNode
from mcuq.ops.dtypes import WHOLE
from mcuq.ops.elementwise import Elementwise, broadcast_shape
from mcuq.ops.from_integers import reach
from mcuq.ops.operands import operands_of_one_rank

_LOGIC = ("And", "Or", "Xor")
# What wraps around where int32 does not hold a result.
_WRAPPING = {"Add": "WrappedAdd", "Sub": "WrappedSub", "Mul": "WrappedMul"}
INT32 = (-INT32_MAX - 1, INT32_MAX)
_FUNCTIONS: Mapping[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "WrappedAdd": wrapped_add,
    "WrappedSub": wrapped_sub,
    "WrappedMul": wrapped_mul,
    "Div": integer_quotient,
    "Mod": integer_modulo,
    "Remainder": integer_remainder,
    "Min": np.minimum,
    "Max": np.maximum,
    "And": np.bitwise_and,
    "Or": np.bitwise_or,
    "Xor": np.bitwise_xor,
}


def integer(graph: GraphBuilder, values: Array, stem: str = "integers") -> str:
    """A constant of integers that stand for themselves, as float32 holds them."""
    quant = Integers.of(int(values.min()), int(values.max()))
    return graph.constant(np.asarray(values, np.float32), stem, quant)


def from_arithmetic(kind: str) -> FromOneOutput:
    """`from_integers` of one of them; any number of inputs of Min and Max, one after the other."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        for index in range(len(node.inputs)):
            if not node.is_constant(index):
                node.integers(index)
        own = "Remainder" if kind == "Mod" and node.attribute("fmod", 0) else kind
        first, *others = operands_of_one_rank(node, graph, range(len(node.inputs)))
        for other in others[:-1]:
            first = graph.add(IntegerArithmetic(own), [first, other], None, node.name)
        return wrapped(node, graph, own, [first, *others[-1:]]) if others else first

    return add


def wrapped(node: OnnxNode, graph: GraphBuilder, kind: str, inputs: list[str]) -> str:
    """The node's output; of types of 32 bits and less it wraps around, as runtimes have it, where it may leave them."""
    kind = kind_of(node, graph, kind, inputs)
    known = IntegerArithmetic(kind).integers([graph.tensors[name] for name in inputs])
    low, high = node.output_range or (known.low, known.high)
    if low <= known.low and known.high <= high:
        return graph.add(IntegerArithmetic(kind), inputs, node.outputs[0], node.name)
    if INT32_MAX in (known.high, high):
        raise node.error(
            f"gives integers from {known.low} to {known.high}, but its type begins at {low} and wraps around beyond "
            "what int32 holds; put a Cast to int64 before it"
        )
    y = graph.add(IntegerArithmetic(kind), inputs, None, node.name)
    steps = [("Sub", low), ("Mod", high - low + 1), ("Add", low)] if low else [("Mod", high + 1)]
    shape = (1,) * len(graph.tensors[y].shape)
    for index, (own, number) in enumerate(steps, 1):
        constant = integer(graph, np.full(shape, number))
        output = node.outputs[0] if index == len(steps) else None
        y = graph.add(IntegerArithmetic(own), [y, constant], output, node.name)
    return y


def kind_of(node: OnnxNode, graph: GraphBuilder, kind: str, inputs: list[str]) -> str:
    """The kind, or where the node is of int32 and may leave it that which wraps around."""
    if node.output_range != INT32 or kind not in _WRAPPING:
        return kind
    low, high = _ends(kind, [graph.tensors[name] for name in inputs])
    return kind if INT32[0] <= low and high <= INT32[1] else _WRAPPING[kind]


def _ends(kind: str, inputs: Sequence[Tensor]) -> tuple[int, int]:
    """The least and the greatest sum, difference, product or choice of what the inputs are known to hold."""
    first, second = (reach(t) for t in inputs)
    ends = [int(_FUNCTIONS[kind](np.array(x), np.array(y))) for x in first for y in second]
    return min(ends), max(ends)


@dataclass(frozen=True)
class IntegerArithmetic(Elementwise):
    """y = a `kind` b of int32; shapes have one rank and broadcast as in NumPy. Exact.

    Where int32 does not hold a result, or an input holds what it was not known to, the output's nearest integer; of a
    Wrapped kind what is left of it modulo 2^32, of all of int32.
    Div is towards 0, Mod has the sign of b and Remainder that of a; of b = 0 all three are 0.
    """

    kind: str

    from_integers: ClassVar[dict[str, FromOnnx]] = {
        kind: from_arithmetic(kind) for kind in _FUNCTIONS if kind not in ("Remainder", *_WRAPPING.values())
    }
    passes_channels = False
    dtypes = WHOLE

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return broadcast_shape(inputs)

    def integers(self, inputs: Sequence[Tensor]) -> Integers:
        """From the ends of the inputs' ranges."""
        (a, b), (c, d) = (reach(t) for t in inputs)
        if self.kind in ("Mod", "Remainder", "Div"):
            most = max(abs(a), abs(b))
            if self.kind == "Mod":
                return Integers.of(min(c + 1, 0), max(d - 1, 0))
            if self.kind == "Remainder":
                most = min(most, max(abs(c), abs(d), 1) - 1)
            elif c > 0:
                most = most // c
            is_signed = self.kind == "Div" and c < 0
            return Integers.of(-most if a < 0 or is_signed else 0, most if b > 0 or is_signed else 0)
        if self.kind in _LOGIC:
            return Integers.of(0, 1)
        if self.kind in _WRAPPING.values():
            return Integers.of(*INT32)
        return Integers.of(*_ends(self.kind, inputs))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        is_wrapped = self.kind in _WRAPPING.values()
        kind = TensorProto.BOOL if self.kind in _LOGIC else TensorProto.INT32 if is_wrapped else TensorProto.INT64
        own = self.kind.removeprefix("Wrapped")
        operands = [writer.node("Cast", [t.name], to=kind) for t in layer.inputs]
        y = writer.node("Mod", operands, fmod=1) if self.kind == "Remainder" else writer.node(own, operands)
        writer.node("Cast", [y], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        a, b = (x.astype(np.int64) for x in inputs)
        return within_long(_FUNCTIONS[self.kind](a, b), *reach(layer.output)).astype(layer.output.dtype)
